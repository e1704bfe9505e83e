import { Command } from 'commander';
import type { ServerInfo } from '../../../contracts/host.ts';
import type { CommandContext, ResultDocument } from '../../context.ts';
import { configuredPlace } from '../../operations/session.ts';

/** `sealift server start` */
export function serverStartCommand(context: CommandContext): Command {
  return new Command('start')
    .description('Start the embedded Temporal server, or find the running one.')
    .action(async () => {
      const { server } = await context.host();
      context.result(serverDocument(await server.ensure((line) => context.status().note(line))));
    });
}

/** `sealift server stop` */
export function serverStopCommand(context: CommandContext): Command {
  return new Command('stop')
    .description('Stop the embedded Temporal server; operations wait in its file.')
    .action(async () => {
      const { server } = await context.host();
      const stopped = await server.stop();
      context.result({
        text: stopped ? 'Stopped.\n' : 'It was not running.\n',
        json: { kind: 'server', running: false, stopped },
      });
    });
}

/** `sealift server status` */
export function serverStatusCommand(context: CommandContext): Command {
  return new Command('status')
    .description('Show the embedded Temporal server, and whether another Temporal is configured.')
    .action(async () => {
      const { server } = await context.host();
      const [info, configured] = await Promise.all([server.status(), configuredPlace(context.terminal.env)]);
      if (configured !== undefined) {
        context
          .status()
          .note(`Operations go to ${configured.target.address}, as TEMPORAL_* or Temporal's configuration file says.`);
      }
      if (info !== undefined) return context.result(serverDocument(info));
      context.result({
        text: 'It is not running; the next command that needs it starts it.\n',
        json: { kind: 'server', running: false },
      });
    });
}

function serverDocument(info: ServerInfo): ResultDocument {
  const { address, namespace, uiUrl, pid, version, database, log } = info;
  const facts = {
    Address: address,
    Namespace: namespace,
    UI: uiUrl,
    Process: String(pid),
    Version: version,
    Database: database,
    Log: log,
  };
  const text = Object.entries(facts)
    .map(([name, value]) => `${`${name}:`.padEnd(11)}${value}\n`)
    .join('');
  return { text, json: { kind: 'server', running: true, ...info } };
}
