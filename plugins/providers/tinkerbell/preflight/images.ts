import type { ClusterSpec, SpecObject } from '../../../../contracts/cluster-spec.ts';
import type { Finding } from '../../../../contracts/clusters.ts';
import { finder, subjectOf, type FindingPath } from '../../../../core/clusters/spec/findings.ts';
import { machineUses } from '../../../../core/clusters/spec/machine-uses.ts';
import { SealiftError } from '../../../../core/errors.ts';
import { createHttpClient, type HttpClient } from '../../../../core/http/client.ts';
import { installTemplate, osImage } from '../install-template.ts';
import { templateKind, type TinkerbellDatacenterSpec, type TinkerbellMachineSpec } from '../schema.ts';

/** HookOS for x86-64, as Tinkerbell's boot server asks for it. */
const HOOK_FILES = ['vmlinuz-x86_64', 'initramfs-x86_64'];

interface WantedFile {
  url: string;
  subject: string;
  path: FindingPath;
}

/** Whether the images that machines boot and are installed from are there, as far as this machine can see. */
export async function imageFindings(spec: ClusterSpec): Promise<Finding[]> {
  const findings = missingImages(spec);
  const client = createHttpClient({ plainHttp: false, insecureSkipTlsVerify: false }, 'source');
  try {
    const asked = await Promise.all(wantedFiles(spec).map((file) => fileFindings(client, file)));
    return [...findings, ...asked.flat()];
  } finally {
    await client.close();
  }
}

/** What is named nowhere: the defaults are on the Internet, or there are none. */
function missingImages(spec: ClusterSpec): Finding[] {
  const findings: Finding[] = [];
  const { hookImagesURLPath = '' } = datacenterOf(spec);
  if (hookImagesURLPath === '' && spec.cluster.spec.registryMirrorConfiguration !== undefined) {
    const message = 'it is empty: machines will look for HookOS on the Internet';
    const at = finder(findings, subjectOf(spec.datacenter), 'tinkerbell');
    at.warning('hook', ['spec', 'hookImagesURLPath'], message, 'give the URL of a folder that the machines reach');
  }
  for (const machine of usedMachines(spec)) {
    if (installTemplate(spec, machine) !== undefined) continue;
    const message = `for ${machine.spec.osFamily} there is no template to install it by`;
    const remedy = `name a ${templateKind}, or use osFamily: ubuntu or redhat`;
    finder(findings, subjectOf(machine), 'tinkerbell').problem('template', ['spec', 'templateRef'], message, remedy);
  }
  return findings;
}

function wantedFiles(spec: ClusterSpec): WantedFile[] {
  const { hookImagesURLPath: hook = '', hookIsoURL: iso = '' } = datacenterOf(spec);
  const subject = subjectOf(spec.datacenter);
  const ofHook = hook === '' ? [] : HOOK_FILES.map((file) => `${hook.replace(/\/+$/, '')}/${file}`);
  const files = [
    ...ofHook.map((url) => ({ url, subject, path: ['spec', 'hookImagesURLPath'] })),
    ...(iso === '' ? [] : [{ url: iso, subject, path: ['spec', 'hookIsoURL'] }]),
    ...usedMachines(spec).map((machine) => ({
      url: osImage(spec, machine),
      subject: (machine.spec.osImageURL ?? '') === '' ? subject : subjectOf(machine),
      path: ['spec', 'osImageURL'],
    })),
  ];
  return files.filter(({ url }, index) => url !== '' && files.findIndex((file) => file.url === url) === index);
}

async function fileFindings(client: HttpClient, { url, subject, path }: WantedFile): Promise<Finding[]> {
  const findings: Finding[] = [];
  const at = finder(findings, subject, 'tinkerbell');
  try {
    const { status } = await client.request({ method: 'HEAD', url });
    if (status < 400) return [];
    at.problem('image', path, `${url} answers ${status}`, 'put the file there, or correct the URL');
  } catch (error) {
    if (!(error instanceof SealiftError)) throw error;
    // machines are in another network than the worker
    const message = `whether ${url} is there cannot be seen from here: ${error.problem.message}`;
    at.warning('image', path, message, 'see to it that the machines reach it');
  }
  return findings;
}

function usedMachines(spec: ClusterSpec): SpecObject<TinkerbellMachineSpec>[] {
  const used = machineUses(spec).flatMap(({ machine }) => machine ?? []);
  return [...new Set(used)] as unknown as SpecObject<TinkerbellMachineSpec>[];
}

function datacenterOf({ datacenter }: ClusterSpec): TinkerbellDatacenterSpec {
  return datacenter.spec as unknown as TinkerbellDatacenterSpec;
}
