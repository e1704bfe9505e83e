import type { ClusterSpec } from '../../../../contracts/cluster-spec.ts';
import type { Finding } from '../../../../contracts/clusters.ts';
import type { ClusterOperation, ProviderContext } from '../../../../contracts/provider-plugin.ts';
import { finder, type Finder } from '../../../../core/clusters/spec/findings.ts';
import type { BmcAnswer } from '../bmc/answer.ts';
import { contactAll } from '../bmc/contact-all.ts';
import { bmcSettings } from '../bmc/contact.ts';
import type { Hardware } from '../hardware-csv.ts';
import type { TinkerbellDatacenterSpec } from '../schema.ts';

/** Whether every BMC of the hardware list answers, lets us in, and can boot its machine as it has to be. */
export async function bmcFindings(
  hardware: readonly Hardware[],
  { spec, operation }: { spec: ClusterSpec; operation: ClusterOperation },
  context: ProviderContext,
): Promise<Finding[]> {
  const findings: Finding[] = [];
  const hosts = hardware.flatMap(({ bmc, ...rest }) => (bmc === undefined ? [] : { ...rest, bmc }));
  if (hosts.length === 0) return findings;
  const settings = await bmcSettings(context.env);
  if (settings.ca === undefined) {
    const message = 'the certificates of BMCs are not checked: who is in between can read their passwords';
    const at = finder(findings, 'hardware list', 'tinkerbell');
    at.warning('bmc-unverified', [], message, 'name the authority that has signed them in SEALIFT_BMC_CA_FILE');
  }
  const { isoBoot = false } = spec.datacenter.spec as unknown as TinkerbellDatacenterSpec;
  for (const { host, answer } of await contactAll(hosts, settings, context)) {
    const before = findings.length;
    const at = finder(findings, host.hostname, 'tinkerbell');
    answerRules(answer, at, { bootTarget: isoBoot ? 'Cd' : 'Pxe', installs: operation === 'create' });
    const position =
      context.hardwareCsv === undefined ? undefined : { file: context.hardwareCsv, line: host.line, column: 1 };
    for (const finding of findings.slice(before)) Object.assign(finding, position === undefined ? {} : { position });
  }
  return findings;
}

/** @param wanted bootTarget: in Redfish's words; installs: what is on the machine's disk is about to be overwritten */
export function answerRules(answer: BmcAnswer, at: Finder, wanted: { bootTarget: string; installs: boolean }): void {
  if (answer.kind === 'silent') {
    at.problem('bmc-silent', ['bmc_ip'], `its BMC does not answer: ${answer.detail}`, 'check bmc_ip and the network');
  } else if (answer.kind === 'refused') {
    at.problem('bmc-refused', ['bmc_password'], answer.detail, 'correct bmc_username and bmc_password');
  } else if (answer.kind === 'untrusted') {
    const remedy = 'give its BMC a certificate that the authority in SEALIFT_BMC_CA_FILE has signed for its address';
    at.problem('bmc-untrusted', ['bmc_ip'], answer.detail, remedy);
  } else if (answer.kind === 'answers') {
    if (answer.bootTargets !== undefined && !answer.bootTargets.includes(wanted.bootTarget)) {
      const can = answer.bootTargets.join(', ');
      const message = `its BMC cannot make it boot from ${wanted.bootTarget}: it offers ${can === '' ? 'nothing' : can}`;
      at.problem('bmc-boot', ['bmc_ip'], message, 'allow it in the firmware, or boot otherwise (isoBoot)');
    }
    if (wanted.installs && answer.power === 'on') {
      const message = 'the machine is on; once it is chosen, its disk is overwritten';
      at.warning('power', ['hostname'], message, 'switch it off, and make sure that nobody uses it');
    }
  }
}
