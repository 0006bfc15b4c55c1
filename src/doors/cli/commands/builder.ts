import type { CreateFlags } from '../buildpack/create-builder.ts';
import { makeOptions } from '../buildpack/flags.ts';
import type { InspectBuilderFlags } from '../buildpack/inspect-builder.ts';
import { outputOption } from '../buildpack/output-option.ts';
import { collectValues } from '../parse/values.ts';
import { registryOptions } from '../shared-options.ts';
import type { CliCommand } from '../command.ts';

export const command: CliCommand = {
  about: 'Makes and shows builders: images that hold all that an application is built with.',
  examples: [
    [
      'strake builder create my-builder --config builder.toml',
      'put together from other images, without running anything',
    ],
    [
      'strake builder create registry.example/builder --config builder.toml --publish --target linux/amd64 --target linux/arm64',
      'an index of two platforms',
    ],
    ['strake builder inspect my-builder', 'its buildpacks, order and run images'],
  ],
  define(command, run) {
    const create = makeOptions(
      registryOptions(command.command('create'))
        .summary('make a builder')
        .description(
          "Makes the builder that a builder.toml describes, by putting layers together: nothing is run. Without [lifecycle] it has strake's own, which other platforms can call.",
        )
        .argument('<name>', 'the name of the image (or oci:FOLDER)'),
      { what: 'builder', file: 'builder.toml' },
    )
      .option('--flatten <id@version,...>', 'buildpacks to put into one layer', collectValues, [])
      .option('--no-phases', "without the programs of strake's own lifecycle: smaller, and for strake alone");
    create.action((name: string, flags: CreateFlags) =>
      run(create, async (c) => (await import('../buildpack/create-builder.ts')).createBuilder(name, flags, c)),
    );
    const inspect = outputOption(
      registryOptions(command.command('inspect'))
        .summary('show what a builder is')
        .description('Shows the builder of this name in the local store and the one in its registry. No layer is read.')
        .argument('[name]', 'the builder (default: that of "strake config default-builder")')
        .option('-d, --depth <levels>', 'how deep orders are shown (default: all)')
        .option('-v, --verbose', 'also show the mixins of the stack'),
    );
    inspect.action((name: string | undefined, flags: InspectBuilderFlags) =>
      run(inspect, async (c) => (await import('../buildpack/inspect-builder.ts')).inspectBuilder(name, flags, c)),
    );
    const suggest = command
      .command('suggest')
      .summary('name builders that can be used')
      .description('Names builders that are well known, and those of the local store.');
    suggest.action(() =>
      run(suggest, async (c) => (await import('../buildpack/suggest-builders.ts')).suggestBuilders(c)),
    );
  },
};
