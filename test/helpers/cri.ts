import { connect, constants, type ClientHttp2Session, type IncomingHttpHeaders } from 'node:http2';
import { connect as connectSocket } from 'node:net';

/**
 * Asks a container runtime for an image as the kubelet does: PullImage of the Container Runtime Interface, without
 * credentials. gRPC by hand, which for one call with one string costs less than a client library.
 * @param socket path of the runtime's Unix socket
 * @returns the runtime's id of the image
 * @throws Error with the runtime's own message
 */
export async function pullAsKubelet(socket: string, reference: string): Promise<string> {
  const session = connect('http://localhost', { createConnection: () => connectSocket(socket) });
  try {
    // PullImageRequest { ImageSpec image = 1 }, ImageSpec { string image = 1 }
    const answer = await unaryCall(session, '/runtime.v1.ImageService/PullImage', field(field(Buffer.from(reference))));
    // PullImageResponse { string image_ref = 1 }, whose length is below 128
    return answer.subarray(2).toString('utf8');
  } finally {
    session.close();
  }
}

/** A message with one field, number 1, that has a length of its own (Protocol Buffers, "Encoding"). */
function field(value: Buffer): Buffer {
  const length: number[] = [];
  for (let left = value.length; ; left >>= 7) {
    length.push(left < 128 ? left : (left & 127) | 128);
    if (left < 128) break;
  }
  return Buffer.concat([Buffer.from([0x0a, ...length]), value]);
}

/** https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md */
function unaryCall(session: ClientHttp2Session, path: string, message: Buffer): Promise<Buffer> {
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(message.length, 1);
  return new Promise((resolve, reject) => {
    session.once('error', reject);
    const stream = session.request({
      [constants.HTTP2_HEADER_METHOD]: 'POST',
      [constants.HTTP2_HEADER_PATH]: path,
      [constants.HTTP2_HEADER_CONTENT_TYPE]: 'application/grpc',
      [constants.HTTP2_HEADER_TE]: 'trailers',
    });
    const chunks: Buffer[] = [];
    let status: IncomingHttpHeaders = {};
    // a call that fails at once has its status in the headers
    for (const event of ['response', 'trailers'] as const) {
      stream.on(event, (headers: IncomingHttpHeaders) => (status = { ...status, ...headers }));
    }
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    stream.once('error', reject);
    stream.once('end', () => {
      const said = status['grpc-message'];
      if (status['grpc-status'] === '0') resolve(Buffer.concat(chunks).subarray(prefix.length));
      else reject(new Error(typeof said === 'string' ? decodeURIComponent(said) : 'the call ended without a word'));
    });
    stream.end(Buffer.concat([prefix, message]));
  });
}
