import { readFile } from 'node:fs/promises';
import { createServer } from 'node:https';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ProviderContext } from '../../../../contracts/provider-plugin.ts';
import { SealiftError } from '../../../../core/errors.ts';
import { generateCertificates, type Certificates } from '../../../../test/helpers/certificates.ts';
import { temporaryFolder, type TemporaryFolder } from '../../../../test/helpers/paths.ts';
import { freePort } from '../../../../core/server/free-port.ts';
import { run } from '../../../../test/helpers/processes.ts';
import { hasBmcEmulators } from '../../../../test/lab/bmc-emulators.ts';
import { startIpmi } from '../../../../test/lab/ipmi.ts';
import { startRedfish, type RedfishBmc } from '../../../../test/lab/redfish.ts';
import { bmcSettings, contactBmc } from './contact.ts';
import { askIpmi } from './ipmi.ts';
import { askRedfish } from './redfish.ts';

const login = { host: '127.0.0.1', username: 'admin', password: 'a "secret"$' };
let folder: TemporaryFolder;
let certificates: Certificates;

beforeAll(async () => {
  folder = await temporaryFolder('bmc');
  certificates = await generateCertificates(folder.path);
});

afterAll(() => folder.remove());

const context: Pick<ProviderContext, 'run'> = {
  async run(command, args, options) {
    const env = { PATH: process.env['PATH'] ?? '', ...options?.env };
    const { code, stdout, stderr } = await run(command, [...args], { env });
    if (code === 0) return stdout;
    throw toolError('ToolFailed', stderr);
  },
};

function toolError(type: 'ToolFailed' | 'ToolMissing', message: string): SealiftError {
  return new SealiftError(type, { side: 'local', operation: 'run', subject: 'ipmitool', message });
}

describe.skipIf(!hasBmcEmulators('BMCs'))('a BMC', () => {
  describe('with Redfish', () => {
    let bmc: RedfishBmc;
    let port: number;

    beforeAll(async () => {
      port = await freePort();
      const { username: user, ...rest } = login;
      bmc = await startRedfish({ ...rest, user, port, certificates, power: 'On' });
    });
    afterAll(() => bmc.stop());

    it('tells its power and what it can boot from', async () => {
      const ca = await readFile(certificates.ca, 'utf8');
      const answer = {
        kind: 'answers',
        protocol: 'Redfish',
        power: 'on',
        bootTargets: ['Pxe', 'Cd', 'Hdd', 'UefiHttp'],
      };
      expect(await askRedfish({ ...login, port })).toEqual(answer);
      expect(await askRedfish({ ...login, port }, { ca })).toEqual(answer);
    });

    it('refuses a wrong password', async () => {
      const answer = await askRedfish({ ...login, port, password: 'wrong' });
      expect(answer).toEqual({ kind: 'refused', detail: 'Redfish: it answers 401 to this user and password' });
    });

    it('is sent no password when its certificate is from elsewhere', async () => {
      await using other = await temporaryFolder('bmc-ca');
      const { ca } = await generateCertificates(other.path);
      const answer = await askRedfish({ ...login, port }, { ca: await readFile(ca, 'utf8') });
      expect(answer).toMatchObject({ kind: 'untrusted' });
    });

    it('is not asked over IPMI as well', async () => {
      const settings = { redfishPort: port, ipmiPort: await freePort() };
      const never: typeof context = { run: () => Promise.reject(new Error('it was')) };
      const bmcOf = (password: string) => ({ ip: login.host, username: login.username, password });
      expect(await contactBmc(bmcOf(login.password), settings, never)).toMatchObject({ kind: 'answers' });
      expect(await contactBmc(bmcOf('wrong'), settings, never)).toMatchObject({ kind: 'refused' });
    });
  });

  it('with IPMI alone tells its power, and refuses a wrong password', async () => {
    const [port, redfishPort] = [await freePort(), await freePort()];
    await using _bmc = await startIpmi({ ...login, user: login.username, port });
    expect(await askIpmi({ ...login, port }, context)).toEqual({ kind: 'answers', protocol: 'IPMI', power: 'off' });
    expect(await askIpmi({ ...login, password: 'wrong', port }, context)).toMatchObject({ kind: 'refused' });
    const bmc = { ip: login.host, username: login.username, password: login.password };
    const settings = { redfishPort, ipmiPort: port };
    expect(await contactBmc(bmc, settings, context)).toMatchObject({ kind: 'answers', protocol: 'IPMI' });
  });
});

describe('a BMC that is away', () => {
  const bmc = { ip: '127.0.0.1', username: 'admin', password: 'secret' };

  it('is told with both ways that were tried', async () => {
    const settings = { redfishPort: await freePort(), ipmiPort: await freePort() };
    const run = () => Promise.reject(toolError('ToolFailed', 'Get Auth Capabilities error'));
    const answer = await contactBmc(bmc, settings, { run });
    expect(answer).toMatchObject({ kind: 'silent', detail: expect.stringMatching(/ECONNREFUSED.*; IPMI .*no answer/) });
  });

  it('is told so where there is no ipmitool', async () => {
    const settings = { redfishPort: await freePort(), ipmiPort: await freePort() };
    const run = () => Promise.reject(toolError('ToolMissing', 'no such program'));
    const answer = await contactBmc(bmc, settings, { run });
    expect(answer).toMatchObject({ kind: 'silent', detail: expect.stringContaining('there is no ipmitool') });
  });
});

describe('what is no Redfish service', () => {
  it.each<[string, (path: string) => unknown, object]>([
    ['something else', () => undefined, { kind: 'silent' }],
    ['no systems', (path) => (path === '/redfish/v1/' ? { Systems: link('/redfish/v1/S') } : { Members: [] }), {}],
    ['links that lead elsewhere', () => ({ Systems: link('https://192.0.2.1/redfish/v1') }), {}],
    ['no objects', () => [null], {}],
  ])('with %s is silent, and sees no password', async (_name, body) => {
    const sent: string[] = [];
    const server = createServer(
      { cert: await readFile(certificates.certificate), key: await readFile(certificates.key) },
      (request, response) => {
        if (request.url === '/redfish/v1/') sent.push(request.headers.authorization ?? 'nothing');
        response.end(JSON.stringify(body(request.url ?? '')) ?? 'hello');
      },
    );
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as { port: number };
    try {
      expect(await askRedfish({ ...login, port })).toMatchObject({ kind: 'silent' });
      expect(sent).toEqual(['nothing']);
    } finally {
      server.close();
    }
  });
});

function link(path: string): object {
  return { '@odata.id': path };
}

describe('how BMCs are reached', () => {
  it('is in the environment', async () => {
    expect(await bmcSettings({})).toEqual({ redfishPort: 443, ipmiPort: 623 });
    const env = {
      SEALIFT_BMC_REDFISH_PORT: '8443',
      SEALIFT_BMC_IPMI_PORT: '6230',
      SEALIFT_BMC_CA_FILE: certificates.ca,
    };
    const ca = await readFile(certificates.ca, 'utf8');
    expect(await bmcSettings(env)).toEqual({ redfishPort: 8443, ipmiPort: 6230, ca });
  });

  it.each([
    [{ SEALIFT_BMC_REDFISH_PORT: '0' }, 'InvalidInput'],
    [{ SEALIFT_BMC_IPMI_PORT: '623/udp' }, 'InvalidInput'],
    [{ SEALIFT_BMC_CA_FILE: '/nowhere/ca.pem' }, 'FileMissing'],
  ])('has to be right: %j', async (env, type) => {
    await expect(bmcSettings(env)).rejects.toMatchObject({ type });
  });
});
