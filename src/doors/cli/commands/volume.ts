import { Option } from 'commander';
import { collectValues } from '../parse/values.ts';
import type { CliCommand } from '../command.ts';

export const command: CliCommand = {
  about:
    'Folders that outlive containers, by name: "strake run -v NAME:/path" makes one where there is none, and fills it with what the image has there.',
  examples: [
    ['strake volume ls', 'all of them'],
    ['strake volume rm data', 'with all that is in it'],
  ],
  define(command, run) {
    const actions = () => import('../container/volumes.ts');
    const list = command
      .command('ls')
      .alias('list')
      .summary('list volumes')
      .description('Lists volumes.')
      .option('-q, --quiet', 'print names only')
      .addOption(
        new Option('--format <format>', 'how the list is printed').choices(['table', 'json']).default('table'),
      );
    list.action((flags: { quiet?: boolean; format: 'table' | 'json' }) =>
      run(list, async (c) => (await actions()).listVolumes(flags, c)),
    );
    const create = command
      .command('create')
      .summary('make a volume')
      .description('Makes an empty volume; one that is there stays as it is.')
      .argument('<name>', 'its name')
      .option('-l, --label <name[=value]>', 'a label', collectValues, []);
    create.action((name: string, flags: { label: readonly string[] }) =>
      run(create, async (c) => (await actions()).createVolume(name, flags, c)),
    );
    const remove = command
      .command('rm')
      .alias('remove')
      .summary('remove volumes')
      .description('Removes volumes with all that is in them. One that a container has, running or not, stays.')
      .argument('<name...>', 'names')
      .option('-f, --force', 'one that is not there is no error');
    remove.action((names: readonly string[], flags: { force?: boolean }) =>
      run(remove, async (c) => (await actions()).removeVolumes(names, flags, c)),
    );
    const inspect = command
      .command('inspect')
      .summary('show all that is known of volumes')
      .description('Shows volumes as JSON: where they lie, and which containers have them.')
      .argument('<name...>', 'names');
    inspect.action((names: readonly string[]) => run(inspect, async (c) => (await actions()).inspectVolumes(names, c)));
  },
};
