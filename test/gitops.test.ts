import { chmod, mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Problem } from '../contracts/errors.ts';
import { publish, type GitChange, type Published } from '../core/gitops/publish.ts';
import { bareRepository, findSshd, startGitHttp, startSshd, type BareRepository } from './helpers/git-servers.ts';
import { projectRoot, temporaryFolder, type TemporaryFolder } from './helpers/paths.ts';
import { run } from './helpers/processes.ts';

const sshd = await findSshd();
if (sshd === undefined) console.warn('no repository over ssh is pushed to: there is no sshd (Debian: openssh-server)');

const author = { name: 'Sealift', email: 'sealift@example.com' };
const env = { PATH: process.env['PATH'], HOME: '/nonexistent' };
const FILE = 'clusters/m/m/eksa-system/eksa-cluster.yaml';

const writing = (write: Record<string, string>, remove: string[] = []): GitChange => ({
  write,
  remove,
  message: 'Create cluster m',
  author,
});

async function problemOf(work: Promise<unknown>): Promise<Problem> {
  const error: unknown = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  return (error as { problem: Problem }).problem;
}

let folder: TemporaryFolder;
let repository: BareRepository;

beforeEach(async () => {
  folder = await temporaryFolder('gitops');
  repository = await bareRepository(join(folder.path, 'repository.git'));
});
afterEach(async () => {
  await folder.remove();
});

function push(
  change: GitChange,
  more: Record<string, string> = {},
  url = repository.path,
  branch = 'main',
): Promise<Published> {
  const scratch = join(folder.path, 'scratch');
  return publish({ url, branch }, change, { env: { ...env, ...more }, scratch });
}

describe('files in a git repository', () => {
  it('begin an empty repository, change, and make no commit when nothing changes', async () => {
    expect((await push(writing({ [FILE]: 'a: 1\n', 'b c/ü.yaml': 'x' }))).pushed).toBe(true);
    const again = await push(writing({ [FILE]: 'a: 1\n' }));
    expect(again.pushed).toBe(false);
    await push({ ...writing({ [FILE]: 'a: 2\n' }), message: 'Upgrade cluster m to 1.31' });
    expect(await repository.log()).toEqual([
      'Upgrade cluster m to 1.31 (Sealift <sealift@example.com>)',
      'Create cluster m (Sealift <sealift@example.com>)',
    ]);
    expect(await repository.show(FILE)).toBe('a: 2\n');
    expect(await repository.show('b c/ü.yaml')).toBe('x');
    expect(await readdir(join(folder.path, 'scratch'))).toEqual([]);
  });

  it('leave what others wrote, and go with their folder', async () => {
    await repository.pushAsOther('clusters/other/x.yaml', 'theirs');
    const workload = 'clusters/m/workload-clusters/w/eksa-system/eksa-cluster.yaml';
    await push(writing({ [FILE]: 'm', [workload]: 'w', 'clusters/m/workload-clusters/w2/a': 'w2' }));
    await push(writing({ [FILE]: 'm2' }, ['clusters/m/workload-clusters/w', 'clusters/never-there']));
    expect(await repository.show(workload)).toBeUndefined();
    expect(await repository.show('clusters/m/workload-clusters/w2/a')).toBe('w2');
    expect(await repository.show('clusters/other/x.yaml')).toBe('theirs');
    expect((await push(writing({}, ['clusters/m/workload-clusters/w']))).pushed).toBe(false);
  });

  it('make a branch that is not there from the default branch', async () => {
    await repository.pushAsOther('README.md', 'hello');
    await push(writing({ [FILE]: 'm' }), {}, repository.path, 'fleet');
    expect(await repository.show('README.md', 'fleet')).toBe('hello');
    expect(await repository.show(FILE)).toBeUndefined();
  });

  it('follow no link that a repository holds', async () => {
    const outside = join(folder.path, 'outside');
    await mkdir(outside);
    await repository.pushAsOther('README.md', 'hello');
    const clone = `${repository.path}.clone-1`;
    await run('ln', ['-s', outside, join(clone, 'clusters')]);
    await run('sh', ['-c', 'git add . && git -c user.name=o -c user.email=o commit -qm link && git push -q'], {
      cwd: clone,
    });
    const problem = await problemOf(push(writing({ [FILE]: 'm' })));
    expect(problem).toMatchObject({ type: 'GitRefused' });
    expect(problem.message).toContain('clusters is a file or link there');
    expect(await problemOf(push(writing({ 'README.md/x': 'm' })))).toMatchObject({ type: 'GitRefused' });
    expect(await readdir(outside)).toEqual([]);
    for (const path of ['../x', '/etc/x', '.git/config', 'a//b', 'a\nb']) {
      expect(await problemOf(push(writing({ [path]: '' })))).toMatchObject({ type: 'InvalidInput' });
    }
  });

  it('are all there when many push at once', async () => {
    await repository.pushAsOther('README.md', 'hello');
    const names = ['a', 'b', 'c', 'd'].map((name) => `clusters/${name}/x.yaml`);
    const published = await Promise.all(names.map((name) => push(writing({ [name]: name }))));
    expect(published.every(({ pushed }) => pushed)).toBe(true);
    for (const name of names) expect(await repository.show(name)).toBe(name);
    expect(await repository.log()).toHaveLength(5);
  });

  it('are not written over what somebody else wrote meanwhile', async () => {
    await repository.pushAsOther(FILE, 'base');
    const meanwhile = async (file: string, content: string | undefined, change: GitChange): Promise<Published> => {
      const bin = await gitThat(`while [ ! -e "${folder.path}/go" ]; do sleep 0.05; done`);
      const pushing = push(change, { PATH: `${bin}:${env.PATH}` });
      pushing.catch(() => undefined);
      await expect.poll(() => readdir(folder.path), { timeout: 30_000 }).toContain('pushing');
      await repository.pushAsOther(file, content);
      await writeFile(join(folder.path, 'go'), '');
      return pushing.finally(() => run('rm', [join(folder.path, 'go'), join(folder.path, 'pushing')]));
    };
    const conflict = await problemOf(meanwhile(FILE, 'theirs', writing({ [FILE]: 'ours', 'clusters/m/new': 'n' })));
    expect(conflict).toMatchObject({
      type: 'GitConflict',
      message: `somebody else changed ${FILE} at the same moment; nothing was pushed`,
    });
    expect(await repository.show(FILE)).toBe('theirs');
    expect(await repository.show('clusters/m/new')).toBeUndefined();
    const added = await problemOf(meanwhile('clusters/m/added', 'theirs', writing({}, ['clusters/m'])));
    expect(added.message).toContain('clusters/m/added');
    expect((await meanwhile('elsewhere', 'theirs', writing({ [FILE]: 'ours' }))).pushed).toBe(true);
    expect([await repository.show(FILE), await repository.show('elsewhere')]).toEqual(['ours', 'theirs']);
    expect((await meanwhile(FILE, 'same', writing({ [FILE]: 'same' }))).pushed).toBe(false);
  });

  it('get there when the first try is killed between commit and push', async () => {
    await repository.pushAsOther('README.md', 'hello');
    const bin = await gitThat('kill -9 $PPID; sleep 60');
    const script = `
      import { publish } from ${JSON.stringify(join(projectRoot, 'core/gitops/publish.ts'))};
      const { target, change, scratch } = ${JSON.stringify({
        target: { url: repository.path, branch: 'main' },
        change: writing({ [FILE]: 'm' }),
        scratch: join(folder.path, 'scratch'),
      })};
      await publish(target, change, { scratch, env: process.env });`;
    await writeFile(join(folder.path, 'publish.mts'), script);
    const killed = await run(process.execPath, ['--import', 'tsx', join(folder.path, 'publish.mts')], {
      env: { PATH: `${bin}:${env.PATH}` },
      cwd: projectRoot,
    });
    expect(killed.code, killed.stderr).toBe('SIGKILL');
    expect(await repository.show(FILE)).toBeUndefined();
    expect((await push(writing({ [FILE]: 'm' }))).pushed).toBe(true);
    expect(await repository.log()).toHaveLength(2);
  });

  it("hand on the server's words when it refuses", async () => {
    const hook = join(repository.path, 'hooks/pre-receive');
    await writeFile(hook, '#!/bin/sh\necho "branch main is protected" >&2\nexit 1\n');
    await chmod(hook, 0o755);
    const problem = await problemOf(push(writing({ [FILE]: 'm' })));
    expect(problem).toMatchObject({ type: 'GitRefused', operation: 'git push', subject: `${repository.path} (main)` });
    expect(problem.message).toContain('branch main is protected');
    expect(await problemOf(push(writing({}), {}, join(folder.path, 'nothing')))).toMatchObject({ type: 'GitRefused' });
    expect(await problemOf(push(writing({}), {}, 'http://127.0.0.1:1/x.git'))).toMatchObject({
      type: 'GitUnreachable',
    });
    expect(await problemOf(push(writing({}), {}, 'ssh://git@127.0.0.1:1/x.git'))).toMatchObject({
      type: 'GitUnreachable',
    });
    for (const url of ['https://me:secret@h/x.git', 'https://token@h/x.git', 'ext::sh -c id', '--upload-pack=id']) {
      const bad = await problemOf(push(writing({}), {}, url));
      expect(bad).toMatchObject({ type: 'InvalidInput' });
      expect(JSON.stringify(bad)).not.toContain('secret');
    }
  });

  it('go over http with a password from the environment', async () => {
    await run('git', ['-C', repository.path, 'config', 'http.receivepack', 'true']);
    await using server = await startGitHttp(folder.path, { name: 'pusher', password: "p'w$d 1" });
    const url = `${server.url}/repository.git`;
    const credentials = { GIT_USERNAME: 'pusher', GIT_PASSWORD: "p'w$d 1" };
    expect((await push(writing({ [FILE]: 'm' }), credentials, url)).pushed).toBe(true);
    await push(writing({ [FILE]: 'm2' }), credentials, url);
    expect(await repository.show(FILE)).toBe('m2');
    const wrong = await problemOf(push(writing({}), { ...credentials, GIT_PASSWORD: 'wrong-password' }, url));
    expect(wrong).toMatchObject({ type: 'GitForbidden' });
    expect(JSON.stringify(wrong)).not.toContain('wrong-password');
    // the token is GitHub's alone
    expect(await problemOf(push(writing({}), { EKSA_GITHUB_TOKEN: "p'w$d 1" }, url))).toMatchObject({
      type: 'GitForbidden',
    });
  });

  it.skipIf(sshd === undefined)('go over ssh with a key that has a passphrase, to a host that is known', async () => {
    await using server = await startSshd(sshd!, join(folder.path, 'ssh server'));
    const url = server.url + repository.path;
    const credentials = {
      EKSA_GIT_PRIVATE_KEY: server.privateKey,
      EKSA_GIT_SSH_KEY_PASSPHRASE: server.passphrase,
      EKSA_GIT_KNOWN_HOSTS: server.knownHosts,
    };
    expect((await push(writing({ [FILE]: 'm' }), credentials, url)).pushed).toBe(true);
    expect(await repository.show(FILE)).toBe('m');
    const wrong = await problemOf(push(writing({}), { ...credentials, EKSA_GIT_SSH_KEY_PASSPHRASE: 'wrong' }, url));
    expect(wrong).toMatchObject({ type: 'GitForbidden' });
    const strange = await problemOf(push(writing({}), { ...credentials, EKSA_GIT_KNOWN_HOSTS: '/dev/null' }, url));
    expect(strange).toMatchObject({ type: 'GitForbidden' });
    expect(strange.remedy).toContain('EKSA_GIT_KNOWN_HOSTS');
    const absent = await problemOf(push(writing({}), { ...credentials, EKSA_GIT_PRIVATE_KEY: '/nothing' }, url));
    expect(absent).toMatchObject({ type: 'GitForbidden', subject: '/nothing' });
  });
});

/** A folder with a `git` that does this before it pushes, and is git otherwise. */
async function gitThat(beforePush: string): Promise<string> {
  const bin = join(folder.path, 'bin');
  await mkdir(bin, { recursive: true });
  const push = `for one in "$@"; do [ "$one" = push ] && { touch "${folder.path}/pushing"; ${beforePush}; }; done`;
  await writeFile(join(bin, 'git'), `#!/bin/sh\n${push}\nPATH=\${PATH#*:}\nexec git "$@"\n`, { mode: 0o755 });
  return bin;
}
