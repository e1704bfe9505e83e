import type { KubernetesObject } from '../../contracts/cluster-spec.ts';

interface Condition {
  type?: string;
  status?: string;
  reason?: string;
  message?: string;
  lastTransitionTime?: string;
}

/** Every condition of every object, a line each: what is looked at first. */
export function conditionLines(objects: ReadonlyMap<string, readonly KubernetesObject[]>): string {
  const lines = [...objects.values()].flat().flatMap((object) => {
    const { conditions = [], phase } = (object['status'] ?? {}) as { conditions?: Condition[]; phase?: string };
    const name = `${object.kind} ${nameOf(object)}`;
    return [
      ...(phase === undefined ? [] : [`${name}  phase=${phase}`]),
      ...conditions.map(({ type = '', status = '', reason = '', message = '', lastTransitionTime = '' }) =>
        [name, ` ${type}=${status}`, reason, oneLine(message), `(since ${lastTransitionTime})`]
          .filter((part) => part !== '')
          .join(' '),
      ),
    ];
  });
  return asText(lines);
}

/** Events, the oldest first, a line each. */
export function eventLines(events: readonly KubernetesObject[]): string {
  const lines = events.map((event) => {
    const {
      type = '',
      reason = '',
      message = '',
      count = 1,
      involvedObject = {},
    } = event as KubernetesObject & {
      type?: string;
      reason?: string;
      message?: string;
      count?: number;
      involvedObject?: { kind?: string; namespace?: string; name?: string };
    };
    const { kind = '', namespace, name = '' } = involvedObject;
    const about = `${kind} ${namespace === undefined ? '' : `${namespace}/`}${name}`;
    const often = count > 1 ? ` (${count} times)` : '';
    return `${timeOf(event)} ${type} ${reason} ${about}: ${oneLine(message)}${often}`;
  });
  return asText(lines.sort());
}

function timeOf(event: KubernetesObject): string {
  const times = [event['lastTimestamp'], event['eventTime'], event.metadata['creationTimestamp' as 'name']];
  return times.find((time): time is string => typeof time === 'string') ?? '-';
}

function nameOf({ metadata: { name, namespace } }: KubernetesObject): string {
  return namespace === undefined ? name : `${namespace}/${name}`;
}

function oneLine(text: string): string {
  return text.replace(/\s+/g, ' ').trim();
}

function asText(lines: readonly string[]): string {
  return lines.map((line) => `${line}\n`).join('');
}
