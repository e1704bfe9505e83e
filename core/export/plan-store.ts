import type { Digest } from '../../contracts/descriptor.ts';
import type { WorkFolder } from '../transfer/work-folder.ts';
import type { ExportPlan } from './plan-types.ts';

const PLAN = 'plan.json';

/** Makes this the plan of the export. */
export async function storePlan(folder: WorkFolder, plan: ExportPlan): Promise<void> {
  await folder.writeJson(PLAN, plan);
}

/** The plan that was stored last. */
export function previousPlan(folder: WorkFolder): Promise<ExportPlan | undefined> {
  return folder.readJson<ExportPlan>(PLAN);
}

/** The plan that `storePlan` stored last. @throws Error when it is not the one with this digest */
export async function loadPlan(
  folder: WorkFolder,
  planDigest: Digest,
): Promise<{ plan: ExportPlan; index: Uint8Array }> {
  const plan = await previousPlan(folder);
  if (plan?.planDigest !== planDigest) throw new Error(`${folder.path} does not hold plan ${planDigest}`);
  return { plan, index: await folder.readBlob(planDigest) };
}
