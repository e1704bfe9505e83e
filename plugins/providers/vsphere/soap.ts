import { Client } from 'undici';
import { SealiftError } from '../../../core/errors.ts';
import { connectChecked } from './certificate.ts';
import type { VCenter, VCenterUser } from './vcenter.ts';
import { escapeXml, unescapeXml } from './xml.ts';

const TIMEOUT_MS = 60_000;

/** A reference to a managed object of vCenter. */
interface Reference {
  type: string;
  value: string;
}

/**
 * Asks vCenter which privileges a user has on objects; govc cannot. Speaks vCenter's SOAP API (vim25, 6.5 and newer).
 * @param paths inventory paths; `/` is the root folder
 * @returns by path the privileges that the user has there; paths that do not exist, or that the user may not see, are absent
 * @throws SealiftError ConnectionFailed, CertificateUntrusted; RequestRefused with the fault
 */
export async function readPrivileges(
  vcenter: VCenter,
  user: VCenterUser,
  paths: readonly string[],
): Promise<Map<string, Set<string>>> {
  const session = openSession(vcenter);
  try {
    const content = await session.call('RetrieveServiceContent', reference('ServiceInstance', 'ServiceInstance'));
    const sessions = referenceIn(content, 'sessionManager');
    const login = await session.call(
      'Login',
      sessions,
      element('userName', user.name) + element('password', user.password),
    );
    const userName = textsIn(login, 'userName')[0] ?? user.name;
    const found = new Map<string, Reference>();
    for (const path of paths) {
      const object =
        path === '/'
          ? referenceIn(content, 'rootFolder')
          : optionalReferenceIn(
              await session.call(
                'FindByInventoryPath',
                referenceIn(content, 'searchIndex'),
                // without the slash that inventory paths begin with everywhere else
                element('inventoryPath', path.slice(1)),
              ),
              'returnval',
            );
      if (object !== undefined) found.set(path, object);
    }
    const entities = [...found.values()].map((object) => referenceElement('entities', object)).join('');
    const authorization = referenceIn(content, 'authorizationManager');
    const answer = await session.call(
      'FetchUserPrivilegeOnEntities',
      authorization,
      entities + element('userName', userName),
    );
    await session.call('Logout', sessions);
    return privilegesByPath(found, answer);
  } finally {
    await session.close();
  }
}

function privilegesByPath(found: Map<string, Reference>, answer: string): Map<string, Set<string>> {
  const byEntity = new Map(
    sectionsIn(answer, 'returnval').map((section) => [
      referenceIn(section, 'entity').value,
      new Set(textsIn(section, 'privileges')),
    ]),
  );
  return new Map([...found].map(([path, { value }]) => [path, byEntity.get(value) ?? new Set<string>()]));
}

interface Session {
  /** @returns the body of the answer, as XML */
  call(method: string, self: Reference, parameters?: string): Promise<string>;
  close(): Promise<void>;
}

function openSession(vcenter: VCenter): Session {
  const client = new Client(`https://${vcenter.server}`, {
    headersTimeout: TIMEOUT_MS,
    bodyTimeout: TIMEOUT_MS,
    connect: (_options, done) => {
      connectChecked(vcenter).then(
        (socket) => done(null, socket),
        (error: unknown) => done(error as Error, null),
      );
    },
  });
  let cookie = '';
  return {
    async call(method, self, parameters = '') {
      const call = `<${method} xmlns="urn:vim25">${referenceElement('_this', self)}${parameters}</${method}>`;
      const { statusCode, headers, body } = await client
        .request({
          method: 'POST',
          path: '/sdk',
          headers: {
            'content-type': 'text/xml; charset=utf-8',
            soapaction: 'urn:vim25/6.5',
            ...(cookie && { cookie }),
          },
          body: envelope(call),
        })
        .catch((error: unknown) => {
          throw error instanceof SealiftError ? error : connectionFailed(vcenter, method, error);
        });
      const set = headers['set-cookie'];
      if (set !== undefined)
        cookie = [set]
          .flat()
          .map((one) => one.split(';')[0])
          .join('; ');
      const answer = await body.text();
      if (statusCode !== 200) throw refused(vcenter, method, textsIn(answer, 'faultstring')[0] ?? `HTTP ${statusCode}`);
      return answer;
    },
    close: () => client.destroy(),
  };
}

function envelope(body: string): string {
  const soap = 'http://schemas.xmlsoap.org/soap/envelope/';
  return `<?xml version="1.0" encoding="UTF-8"?><e:Envelope xmlns:e="${soap}"><e:Body>${body}</e:Body></e:Envelope>`;
}

function reference(type: string, value: string): Reference {
  return { type, value };
}

function element(name: string, text: string): string {
  return `<${name}>${escapeXml(text)}</${name}>`;
}

function referenceElement(name: string, { type, value }: Reference): string {
  return `<${name} type="${escapeXml(type)}">${escapeXml(value)}</${name}>`;
}

// The answers that are read here are flat, without comments or CDATA: vCenter writes them by its schema.

function sectionsIn(xml: string, name: string): string[] {
  return [...xml.matchAll(new RegExp(`<${name}(?:\\s[^>]*)?>(.*?)</${name}>`, 'gs'))].map(([, inner]) => inner ?? '');
}

function textsIn(xml: string, name: string): string[] {
  return sectionsIn(xml, name).map(unescapeXml);
}

function optionalReferenceIn(xml: string, name: string): Reference | undefined {
  const [, type, value] = new RegExp(`<${name}\\s[^>]*?\\btype="([^"]*)"[^>]*>([^<]*)</${name}>`).exec(xml) ?? [];
  return type === undefined || value === undefined ? undefined : reference(unescapeXml(type), unescapeXml(value));
}

function referenceIn(xml: string, name: string): Reference {
  return optionalReferenceIn(xml, name) ?? reference('', '');
}

function connectionFailed({ server }: VCenter, method: string, cause: unknown): SealiftError {
  return new SealiftError('ConnectionFailed', {
    side: 'cluster',
    operation: `ask vCenter (${method})`,
    subject: server,
    message: cause instanceof Error ? cause.message : String(cause),
    remedy: 'check that vCenter runs and can be reached',
    cause,
  });
}

function refused({ server }: VCenter, method: string, fault: string): SealiftError {
  return new SealiftError('RequestRefused', {
    side: 'cluster',
    operation: `ask vCenter (${method})`,
    subject: server,
    message: fault,
    remedy: 'look into the log of vCenter',
  });
}
