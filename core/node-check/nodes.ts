import type { NodeFinding } from '../../contracts/node-check.ts';
import { ok, problem, warning } from './finding.ts';
import { probeTcp } from './tcp.ts';

/** Whether another node answers at the ports on which nodes talk. Before the installation nothing listens yet: an answer is enough. */
export async function checkOtherNode(node: string, ports: readonly number[]): Promise<NodeFinding> {
  const subject = `node ${node}`;
  const replies = await Promise.all(ports.map(async (port) => ({ port, reply: await probeTcp(node, port) })));
  const portsThat = (...wanted: string[]): string =>
    replies
      .filter(({ reply }) => wanted.includes(reply))
      .map(({ port }) => port)
      .join(', ');
  const answered = replies.some(({ reply }) => reply === 'open' || reply === 'refused');
  const unanswered = replies.filter(({ reply }) => reply !== 'open' && reply !== 'refused');
  if (!answered) {
    const replied = [...new Set(unanswered.map(({ reply }) => (reply === 'silent' ? 'no answer' : reply)))].join(', ');
    return problem(
      subject,
      `cannot be reached at TCP ${ports.join(', ')} (${replied})`,
      `check that it is up and the address is right, the way there (\`ip route get ${node}\`), and firewalls in between`,
    );
  }
  if (unanswered.length > 0) {
    const blocked = unanswered.map(({ port }) => port).join(', ');
    return problem(
      subject,
      `TCP ${blocked} gets no answer, other ports do: a firewall drops it`,
      `let TCP ${blocked} through between the nodes, there and on the way`,
    );
  }
  const open = portsThat('open');
  const refused = portsThat('refused');
  if (open === '') return ok(subject, `answers; nothing listens yet at TCP ${refused}`);
  if (refused === '') return ok(subject, `listens at TCP ${open}`);
  return warning(
    subject,
    `listens at TCP ${open}, but not at ${refused}`,
    `normal for ports that only control plane nodes have; else look at the service there, and at a firewall that rejects TCP ${refused}`,
  );
}
