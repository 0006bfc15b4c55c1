import { Option } from 'commander';
import type * as lists from '../buildpack/manifest-lists.ts';
import { collectValues } from '../parse/values.ts';
import { registryOptions } from '../shared-options.ts';
import type { CliCommand } from '../command.ts';

export const command: CliCommand = {
  about: 'Makes image indexes (manifest lists) by hand: what one name means on several platforms.',
  examples: [
    [
      'strake manifest create registry.example/app registry.example/app:amd64 registry.example/app:arm64',
      'an index of two images, kept here',
    ],
    ['strake manifest annotate registry.example/app registry.example/app:arm64 --variant v8', 'what its entry says'],
    ['strake manifest push registry.example/app', 'to its registry'],
  ],
  define(command, run) {
    const load = (): Promise<typeof lists> => import('../buildpack/manifest-lists.ts');
    const format = (): Option =>
      new Option('-f, --format <format>', 'media types of the index').choices(['oci', 'docker']).default('oci');
    const create = registryOptions(command.command('create'))
      .summary('make one')
      .description(
        'Makes an index of images that are in registries or in the local store, and keeps it here. An index gives all its images.',
      )
      .argument('<list>', 'its name')
      .argument('<image...>', 'what is in it')
      .addOption(format())
      .option('--insecure', 'with --publish: without TLS, or without trust in its certificate')
      .option('--publish', 'push it and do not keep it');
    create.action(
      (name: string, images: string[], flags: { format: 'oci' | 'docker'; insecure?: boolean; publish?: boolean }) =>
        run(create, async (c) => (await load()).createList(name, images, { ...c, ...flags })),
    );
    const add = registryOptions(command.command('add'))
      .summary('add an image')
      .description('Adds an image, or all images of an index.')
      .argument('<list>', 'its name')
      .argument('<image>', 'what is added');
    add.action((name: string, image: string) => run(add, async (c) => (await load()).addToList(name, image, c)));
    const annotate = registryOptions(command.command('annotate'))
      .summary('change what an entry says')
      .description('Changes what the entry of an image says.')
      .argument('<list>', 'its name')
      .argument('<image>', 'the image, by its name or digest')
      .option('--os <os>', 'its system')
      .option('--arch <architecture>', 'its architecture')
      .option('--variant <variant>', 'the variant of its architecture')
      .option('--annotations <key=value>', 'an annotation of its entry', collectValues, []);
    annotate.action(
      (name: string, image: string, flags: { os?: string; arch?: string; variant?: string; annotations: string[] }) =>
        run(annotate, async (c) => (await load()).annotateList(name, image, { ...c, ...flags })),
    );
    const rm = command
      .command('rm')
      .summary('take images out')
      .description('Takes images out of an index that is kept here.')
      .argument('<list>', 'its name')
      .argument('<image...>', 'by name or digest');
    rm.action((name: string, images: string[]) => run(rm, async (c) => (await load()).removeFromList(name, images, c)));
    const remove = command
      .command('remove')
      .summary('forget one')
      .description('Forgets indexes that are kept here.')
      .argument('<list...>', 'their names');
    remove.action((names: string[]) => run(remove, async (c) => (await load()).removeLists(names, c)));
    const inspect = registryOptions(command.command('inspect'))
      .summary('show one')
      .description('Shows the manifest of an index that is kept here, or else of one in its registry.')
      .argument('<list>', 'its name');
    inspect.action((name: string) => run(inspect, async (c) => (await load()).inspectList(name, c)));
    const push = registryOptions(command.command('push'))
      .summary('push one')
      .description('Pushes an index that is kept here, with what its registry lacks of its images.')
      .argument('<list>', 'its name')
      .addOption(format())
      .option('--insecure', 'without TLS, or without trust in its certificate')
      .option('--purge', 'forget it then')
      .option('-q, --quiet', 'show no progress');
    push.action(
      (name: string, flags: { format: 'oci' | 'docker'; insecure?: boolean; purge?: boolean; quiet?: boolean }) =>
        run(push, async (c) => (await load()).pushList(name, { ...c, ...flags })),
    );
  },
};
