import { readFile } from 'node:fs/promises';
import tls from 'node:tls';
import { Agent, request } from 'undici';
import type { NodeCheckRequest, NodeFinding } from '../../contracts/node-check.ts';
import { SealiftError } from '../errors.ts';
import { hostnameOf } from '../http/addresses.ts';
import { exchangeFailure } from '../http/failure.ts';
import { loadHostSettings, type HostSettings } from '../http/host-settings.ts';
import { ok, problem } from './finding.ts';
import { probeTcp } from './tcp.ts';

type Registry = NonNullable<NodeCheckRequest['registry']>;

const PATIENCE_MS = 10_000;
/** What a person at the node can set right; tokens and certificates break soon after. */
const MAX_CLOCK_DIFFERENCE_MS = 60_000;
/** Authorities that the system trusts, which is what a container runtime goes by (Debian and Ubuntu; RHEL). */
const SYSTEM_AUTHORITIES = ['/etc/ssl/certs/ca-certificates.crt', '/etc/pki/tls/certs/ca-bundle.crt'];

/** Whether the registry answers as one (OCI distribution specification, `GET /v2/`), and whether its clock agrees with ours. */
export async function checkRegistry(registry: Registry, configDir: string): Promise<NodeFinding[]> {
  const subject = `registry ${registry.host}`;
  const url = new URL(`${registry.plainHttp ? 'http' : 'https'}://${registry.host}/v2/`);
  const port = url.port === '' ? (registry.plainHttp ? 80 : 443) : Number(url.port);
  const reply = await probeTcp(hostnameOf(url.host), port);
  if (reply !== 'open') return [unreachable(subject, registry.host, port, reply)];
  try {
    const settings = await loadHostSettings(registry.host, registry, configDir);
    const answer = await ask(url, settings);
    return [answerFinding(subject, answer), ...clockFinding(answer)];
  } catch (error) {
    if (!(error instanceof SealiftError)) throw error;
    const { message, remedy } = error.problem;
    // A wrong clock is a common reason for a certificate that is not valid, so the time is asked for all the same.
    const untrusted = error.type === 'CertificateUntrusted';
    const time = untrusted
      ? await ask(url, { plainHttp: false, insecureSkipTlsVerify: true }).catch(() => undefined)
      : undefined;
    return [problem(subject, message, remedy), ...(time === undefined ? [] : clockFinding(time))];
  }
}

function unreachable(subject: string, host: string, port: number, reply: string): NodeFinding {
  if (reply === 'refused') {
    return problem(subject, `nothing listens at TCP ${port}`, `start the registry, or correct --registry ${host}`);
  }
  const cause = reply === 'silent' ? 'no answer' : reply;
  return problem(
    subject,
    `it cannot be reached at TCP ${port} (${cause})`,
    `check that it is up, the way there, and that firewalls let TCP ${port} through from the nodes`,
  );
}

interface Answer {
  status: number;
  /** of the registry's clock, when it tells; milliseconds since the epoch */
  date: number | undefined;
  /** of ours, when the answer came */
  received: number;
}

/** Past any proxy: what is asked is whether the registry can be reached from here. @throws SealiftError as exchangeFailure */
async function ask(url: URL, settings: HostSettings): Promise<Answer> {
  const ca = [
    ...tls.rootCertificates,
    ...(await systemAuthorities()),
    ...(settings.ca === undefined ? [] : [settings.ca]),
  ];
  const agent = new Agent({
    connect: { rejectUnauthorized: !settings.insecureSkipTlsVerify, ca, timeout: PATIENCE_MS },
  });
  try {
    const limits = { headersTimeout: PATIENCE_MS, bodyTimeout: PATIENCE_MS };
    const { statusCode, headers, body } = await request(url, { dispatcher: agent, ...limits });
    const received = Date.now();
    await body.dump();
    const date = Date.parse([headers['date'] ?? ''].flat()[0] ?? '');
    return { status: statusCode, date: Number.isNaN(date) ? undefined : date, received };
  } catch (error) {
    const about = { side: 'destination', operation: 'ask', subject: url.href, url, proxied: false } as const;
    throw await exchangeFailure(error, 'head', about);
  } finally {
    await agent.destroy();
  }
}

async function systemAuthorities(): Promise<string[]> {
  const texts = await Promise.all(SYSTEM_AUTHORITIES.map((path) => readFile(path, 'utf8').catch(() => '')));
  return texts.filter((text) => text !== '');
}

function answerFinding(subject: string, { status }: Answer): NodeFinding {
  if (status === 200) return ok(subject, 'answers');
  if (status === 401) return ok(subject, 'answers, and wants credentials');
  return problem(
    subject,
    `it answers /v2/ with ${status}: that is no registry`,
    'check host and port; a registry behind a proxy needs /v2/ at the top of its host',
  );
}

function clockFinding({ date, received }: Answer): NodeFinding[] {
  if (date === undefined) return [];
  // the header has whole seconds
  const difference = received - (date + 500);
  const seconds = Math.round(Math.abs(difference) / 1000);
  if (Math.abs(difference) <= MAX_CLOCK_DIFFERENCE_MS)
    return [ok('clock', `within ${Math.max(seconds, 1)} s of the registry's`)];
  return [
    problem(
      'clock',
      `it is ${seconds} s ${difference > 0 ? 'ahead of' : 'behind'} the registry's: certificates and tokens will be refused`,
      `set whichever is wrong, e.g. \`date -s @${Math.round(date / 1000)}\` here for the registry's, and give all machines one time server (chrony, systemd-timesyncd)`,
    ),
  ];
}
