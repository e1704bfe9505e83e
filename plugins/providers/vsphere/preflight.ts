import type { Finding } from '../../../contracts/clusters.ts';
import type { PreflightRequest, ProviderContext } from '../../../contracts/provider-plugin.ts';
import { finder, subjectOf, type Finder } from '../../../core/clusters/spec/findings.ts';
import { SealiftError } from '../../../core/errors.ts';
import { certificateFault, readCertificate } from './certificate.ts';
import { credentialsRemedy, findUser } from './credentials.ts';
import { createGovc, type Govc } from './govc.ts';
import { readInventory } from './inventory.ts';
import { planImports } from './ova/planned.ts';
import { importPlaces, ovaRules, spaceOf } from './ova/rules.ts';
import { placementRules } from './placement-rules.ts';
import { placementsOf } from './placements.ts';
import { PRIVILEGE_VALIDATION, privilegeRules } from './privilege-rules.ts';
import { templateRules } from './template-rules.ts';
import { datacenterOf, vcenterOf, type VCenter, type VCenterUser } from './vcenter.ts';

/**
 * Asks vCenter whether an operation can work. All that is wrong is found at once, as far as it can be asked: without a
 * connection that is safe for a password, or without a log-in, there is only that.
 * @throws SealiftError ConnectionFailed when vCenter goes away meanwhile; ToolFailed when it answers what nobody expects
 */
export async function preflight(request: PreflightRequest, context: ProviderContext): Promise<Finding[]> {
  const { spec, operation } = request;
  const findings: Finding[] = [];
  const at = finder(findings, subjectOf(spec.datacenter), 'vsphere');
  const vcenter = vcenterOf(spec);
  const user = findUser(context.env);
  if (user === undefined) {
    at.problem('credentials', ['spec', 'server'], 'the worker has no user and password for vCenter', credentialsRemedy);
  }
  context.alive(`certificate of ${vcenter.server}`);
  const safe = await certificateRules(vcenter, at);
  if (!safe || user === undefined) return findings;
  const govc = await createGovc(vcenter, user, context);
  const root = (await loginRules(govc, user, at))
    ? await datacenterRules(govc, datacenterOf(spec).datacenter, at)
    : undefined;
  // what is deleted may lack all else
  if (root === undefined || operation === 'delete') return findings;
  await inventoryRules(request, { govc, root, vcenter, user, findings, context });
  return distinct(findings);
}

/** @returns whether a password may be sent there */
async function certificateRules(vcenter: VCenter, at: Finder): Promise<boolean> {
  const path = ['spec', 'thumbprint'];
  try {
    const shown = await readCertificate(vcenter);
    const fault = certificateFault(vcenter, shown);
    if (fault !== undefined) at.problem('certificate', path, fault.message, fault.remedy);
    if (!vcenter.insecure && shown.validTo < new Date()) {
      const message = `its certificate was valid until ${shown.validTo.toISOString()}`;
      at.problem('certificate-expired', path, message, 'renew the certificate of vCenter: Cluster API refuses it');
      return false;
    }
    return fault === undefined;
  } catch (error) {
    if (!(error instanceof SealiftError)) throw error;
    at.problem('unreachable', ['spec', 'server'], error.problem.message, error.problem.remedy);
    return false;
  }
}

/** @returns whether the user could log in */
async function loginRules(govc: Govc, user: VCenterUser, at: Finder): Promise<boolean> {
  const path = ['spec', 'server'];
  try {
    const { about } = (await govc.json('about')) as { about?: { apiType?: string; fullName?: string } };
    if (about?.apiType === 'VirtualCenter') return true;
    at.problem('no-vcenter', path, `${about?.fullName ?? 'what answers'} is no vCenter`, 'name a vCenter, not a host');
  } catch (error) {
    if (!(error instanceof SealiftError)) throw error;
    const { type, message, remedy } = error.problem;
    if (type === 'ToolMissing') at.problem('govc', path, `govc is missing: ${message}`, remedy);
    else if (/incorrect user name or password|login failure|InvalidLogin/i.test(message)) {
      const said = `vCenter does not accept the user ${user.name} with the password that the worker has`;
      at.problem('login', path, said, credentialsRemedy);
    } else at.problem('vcenter', path, `vCenter refuses: ${message}`, 'put right what it says');
  }
  return false;
}

/** @returns the path of the datacenter */
async function datacenterRules(govc: Govc, name: string, at: Finder): Promise<string | undefined> {
  const all = await govc.find('datacenter', '/');
  const root = `/${name.replace(/^\//, '')}`;
  if (all.includes(root)) return root;
  const there = all.length === 0 ? 'the user sees none' : `there are ${all.map((path) => path.slice(1)).join(', ')}`;
  const remedy = `correct the name, with the folders that it is in, or give the user the right to see it; ${there}`;
  at.problem('datacenter-missing', ['spec', 'datacenter'], `there is no datacenter ${name}`, remedy);
  return undefined;
}

interface Asking {
  govc: Govc;
  /** path of the datacenter */
  root: string;
  vcenter: VCenter;
  user: VCenterUser;
  findings: Finding[];
  context: ProviderContext;
}

async function inventoryRules(
  request: PreflightRequest,
  { govc, root, vcenter, user, findings, context }: Asking,
): Promise<void> {
  const { spec, skip } = request;
  const inventory = await readInventory(govc, root);
  const placements = placementsOf(spec, findings);
  const planned = planImports(spec, placements, inventory, context.ovas ?? [], findings);
  const checked = await ovaRules(planned, findings, context);
  const imports = [...checked.values()].flatMap((one) => one ?? []);
  const space = new Map(imports.map((one) => [one.placement, spaceOf(one)]));
  const places = await placementRules(request, placements, inventory, govc, space);
  const templates = await templateRules(spec, placements, inventory, govc, checked, findings);
  const machines = [...new Set(placements.map(({ machine }) => machine))];
  for (const { kind, metadata, spec: machine } of machines) {
    const at = finder(findings, subjectOf({ kind, metadata }), 'vsphere');
    await tagRules(machine.tags ?? [], govc, at);
    await storagePolicyRules(machine.storagePolicyName ?? '', govc, at);
  }
  if (skip.includes(PRIVILEGE_VALIDATION)) return;
  const needs = {
    templates,
    folderParents: places.folderParents,
    tags: machines.some(({ spec: { tags = [] } }) => tags.length > 0),
    storagePolicy: machines.some(({ spec: { storagePolicyName = '' } }) => storagePolicyName !== ''),
    imports: importPlaces(imports, inventory, places, findings),
  };
  const at = finder(findings, subjectOf(spec.datacenter), 'vsphere');
  await privilegeRules(vcenter, user, places, needs, at);
}

async function tagRules(tags: readonly string[], govc: Govc, at: Finder): Promise<void> {
  if (tags.length === 0) return;
  const all = ((await govc.json('tags.ls')) as { id: string; name: string }[] | null) ?? [];
  for (const [index, tag] of tags.entries()) {
    if (all.some(({ id }) => id === tag)) continue;
    const remedy = 'take the id of a tag that `govc tags.ls -json` shows; vCenter gives out ids itself';
    at.problem('tag-missing', ['spec', 'tags', index], `there is no tag ${tag}`, remedy);
  }
}

async function storagePolicyRules(name: string, govc: Govc, at: Finder): Promise<void> {
  if (name === '') return;
  const { profile } = (await govc.json('storage.policy.ls')) as { profile?: { name: string }[] | null };
  if (profile?.some((policy) => policy.name === name) === true) return;
  const there = profile?.map((policy) => policy.name).join(', ') ?? '';
  const remedy = `correct the name, or make the policy; there are: ${there === '' ? 'none' : there}`;
  at.problem('storage-policy-missing', ['spec', 'storagePolicyName'], `there is no storage policy ${name}`, remedy);
}

/** Several machines may share what is wrong. */
function distinct(findings: readonly Finding[]): Finding[] {
  return [...new Map(findings.map((finding) => [JSON.stringify(finding), finding])).values()];
}
