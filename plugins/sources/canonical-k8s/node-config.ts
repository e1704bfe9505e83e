import type { BillOfMaterials } from '../../../contracts/bill-of-materials.ts';
import type { GeneratedFile, NodeConfigRequest, SourceContext } from '../../../contracts/source-plugin.ts';
import { mirrorHosts } from '../../../core/node-config/hosts-toml.ts';
import { parsePlatform } from '../../../core/oci/platform.ts';
import { formatReference, parseReference } from '../../../core/oci/reference.ts';
import { clusterConfig, installScript, joinConfig } from './install-script.ts';
import { requestError } from '../../../core/node-config/request-error.ts';
import { oneOption, refuseForeignOptions } from './node-options.ts';
import { proxyDropIn } from './proxy.ts';
import { regsyncFile } from './regsync.ts';

/** Where the node's containerd looks for images when it starts ($SNAP_COMMON/images). */
const IMAGES = 'var/snap/k8s/common/images';
const DROP_IN = 'etc/systemd/system/snap.k8s.containerd.service.d/http-proxy.conf';
const HOSTS = '/etc/containerd/hosts.d';

type Context = Pick<SourceContext, 'read' | 'warn'>;

/**
 * What a node needs, in one of three modes: `root/` lies on the node under `/`, `snaps/` is installed, `install.sh` does both
 * and bootstraps or joins.
 *
 * @throws SealiftError InvalidInput naming the option
 */
export async function generateNodeConfig(request: NodeConfigRequest, context: Context): Promise<GeneratedFile[]> {
  refuseForeignOptions(request);
  const baseDir = containerdBaseDir(request);
  const placed = await modeFiles(request, baseDir, context);
  const snaps = snapFiles(request.billOfMaterials);
  if (!snaps.some(({ path }) => path === 'snaps/k8s.snap')) {
    context.warn('there is no k8s snap in the bundle: put k8s.snap, core22.snap and their .assert files into snaps/');
  }
  const files: GeneratedFile[] = [
    ...placed.map((file) => ({ ...file, path: `root/${file.path}` })),
    ...snaps,
    ...(request.mode === 'mirror' ? [regsyncFile(request)] : []),
    ...(baseDir === '' ? [] : [clusterConfig(baseDir), joinConfig(baseDir)]),
    installScript(
      placed.map(({ path }) => path),
      { dropIn: DROP_IN, images: IMAGES, configured: baseDir !== '' },
    ),
  ];
  return files.sort((a, b) => (a.path < b.path ? -1 : 1));
}

async function modeFiles(request: NodeConfigRequest, baseDir: string, context: Context): Promise<GeneratedFile[]> {
  if (request.mode === 'proxy') return [{ path: DROP_IN, content: proxyDropIn(request) }];
  return request.mode === 'mirror' ? mirrorFiles(request, baseDir, context) : imageFiles(request);
}

async function mirrorFiles(request: NodeConfigRequest, baseDir: string, context: Context): Promise<GeneratedFile[]> {
  const { registry, images } = request;
  if (registry === undefined) {
    throw requestError(
      '--registry',
      'mode mirror needs the registry that nodes pull from',
      'add --registry HOST[:PORT][/PREFIX]',
    );
  }
  if (images.length === 0) context.warn('no image is known: give the bundle with --input, or a list with -f');
  const origins = [...new Set(images.map((image) => parseReference(image).host))].sort();
  const authorization = await authorizationHeader(request, context);
  return mirrorHosts({
    ...{ origins, registry, folder: `${baseDir}${HOSTS}` },
    ...(authorization === undefined ? {} : { authorization }),
  });
}

/** The value is a secret: an error tells the file, never what is in it. */
async function authorizationHeader(request: NodeConfigRequest, context: Context): Promise<string | undefined> {
  const file = oneOption(request, 'auth-header');
  if (file === undefined) return undefined;
  const value = Buffer.from(await context.read(file))
    .toString('utf8')
    .trim();
  if (/^[A-Za-z]+ [\x21-\x7e]+$/.test(value)) return value;
  throw requestError(
    `--option auth-header=${file}`,
    'the file does not hold one line SCHEME VALUE',
    "write the header's value into it, e.g. the word Basic and base64 of USER:PASSWORD",
  );
}

function imageFiles(request: NodeConfigRequest): GeneratedFile[] {
  const { billOfMaterials, images } = request;
  if (billOfMaterials === undefined) {
    throw requestError('--input', 'mode sideload takes the images out of a bundle', 'add --input artifacts.tar');
  }
  const platform = oneOption(request, 'platform');
  if (platform !== undefined) parsePlatform(platform);
  const paths = new Set<string>();
  return images.map((image) => {
    const name = formatReference(parseReference(image)).replace(/[/:@]/g, '_');
    let path = `${IMAGES}/${name}.tar`;
    for (let other = 2; paths.has(path); other += 1) path = `${IMAGES}/${name}_${other}.tar`;
    paths.add(path);
    return { path, image, ...(platform === undefined ? {} : { platform }) };
  });
}

function snapFiles(bill: BillOfMaterials | undefined): GeneratedFile[] {
  const snaps = (bill?.items ?? []).filter((item) => item.package === 'snap');
  return snaps.map(({ name, reference }) => ({ path: `snaps/${name}`, file: reference }));
}

/** Without a slash at its end, so empty for `/`. */
function containerdBaseDir(request: NodeConfigRequest): string {
  const given = oneOption(request, 'containerd-base-dir') ?? '/';
  const folder = given.replace(/\/+$/, '');
  // the same path is the end of a place in the output, so it must lead nowhere else
  if (/^(\/[A-Za-z0-9._-]+)*$/.test(folder) && !folder.split('/').some((part) => part === '.' || part === '..')) {
    return folder;
  }
  throw requestError(
    `--option containerd-base-dir=${given}`,
    'it is not an absolute path',
    'e.g. containerd-base-dir=/ck8s',
  );
}
