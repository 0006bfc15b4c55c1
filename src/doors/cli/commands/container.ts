import type { Command } from 'commander';
import { command as attach } from './attach.ts';
import { command as copy } from './cp.ts';
import { command as exec } from './exec.ts';
import { command as kill } from './kill.ts';
import { command as logs } from './logs.ts';
import { command as port } from './port.ts';
import { command as list } from './ps.ts';
import { command as restart } from './restart.ts';
import { command as start } from './start.ts';
import { command as stats } from './stats.ts';
import { command as stop } from './stop.ts';
import { command as wait } from './wait.ts';
import type { CliCommand } from '../command.ts';

/** What is said of them in the list of commands. */
const SAME: readonly (readonly [name: string, summary: string, command: CliCommand])[] = [
  ['ls', 'list containers', list],
  ['logs', 'show what one has said', logs],
  ['exec', 'run a command in one', exec],
  ['cp', 'copy files between one and this machine', copy],
  ['stats', 'show what they use', stats],
  ['attach', 'show what one says from now on', attach],
  ['start', 'start containers again', start],
  ['stop', 'ask containers to end', stop],
  ['restart', 'stop and start containers', restart],
  ['kill', 'send a signal to containers', kill],
  ['wait', 'wait for the end of containers', wait],
  ['port', 'say where ports are reached', port],
];

export const command: CliCommand = {
  about:
    'All that is done with containers. "strake container rm" and "strake container inspect" look at containers alone, where "strake rm" and "strake inspect" look at images, too.',
  examples: [
    ['strake container ls -a', 'as "strake ps -a"'],
    ['strake container rm web', 'the container, whatever images are called'],
  ],
  define(command, run) {
    for (const [name, summary, same] of SAME) {
      const own: Command = command.command(name).summary(summary).description(same.about);
      same.define(own, run);
    }
    const remove = command
      .command('rm')
      .summary('remove containers')
      .description('Removes containers with what they wrote to their own root, and their logs. Named volumes stay.')
      .argument('<container...>', 'names or IDs')
      .option('-f, --force', 'kill one that runs; one that is not there is no error')
      .option('-v, --volumes', 'with the volumes of their own, which always go');
    remove.action((names: readonly string[], flags: { force?: boolean }) =>
      run(remove, async (c) => (await import('../container/remove-named.ts')).removeContainers(names, flags, c)),
    );
    const inspect = command
      .command('inspect')
      .summary('show all that is known of containers')
      .description('Shows all that is known of containers, as JSON.')
      .argument('<container...>', 'names or IDs');
    inspect.action((names: readonly string[]) =>
      run(inspect, async (c) => (await import('../container/inspect-container.ts')).inspectContainers(names, c)),
    );
    const prune = command
      .command('prune')
      .summary('remove containers that do not run')
      .description('Removes all containers that do not run.');
    prune.action(() => run(prune, async (c) => (await import('../container/remove-named.ts')).pruneContainers(c)));
  },
};
