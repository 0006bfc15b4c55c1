import { Option } from 'commander';
import { cliError } from '../errors.ts';
import { jsonText } from '../print/table.ts';
import type { CliCommand } from '../command.ts';
import { engineFor } from '../settings.ts';

interface Flags {
  readonly context?: string | undefined;
  readonly file?: string | undefined;
  readonly target?: string | undefined;
  readonly platform?: string | undefined;
  readonly format: 'text' | 'json';
}

/** Columns where there is no terminal. */
const COLUMNS = 80;

export const command: CliCommand = {
  about:
    'Says of each step of the last build whether its result was found, and if not exactly why: which files changed, which ARG or ENV, which base moved, which instruction, which earlier step; compared with the build before of the same context, Dockerfile, target and platform. Values that look like secrets are neither kept nor shown.',
  examples: [
    ['strake explain', 'the last build of this folder'],
    ['strake explain 4', 'all that is known of its step 4'],
    ['strake explain build', 'of the steps of its stage "build"'],
    ['strake explain --format json', 'every path with its old and new digest, for a program'],
  ],
  define(command, run) {
    command
      .argument('[step]', 'a number from the list, a stage, or a place in one as "build 2/5"')
      .option('--context <place>', 'the last build of this folder or address (default: of this folder, else of any)')
      .option('-f, --file <path>', 'the last one with this Dockerfile')
      .option('--target <stage>', 'the last one up to this stage')
      .option('--platform <platform>', 'the last one for this platform')
      .addOption(new Option('--format <format>', 'how it is printed').choices(['text', 'json']).default('text'))
      .action((word: string | undefined, flags: Flags) =>
        run(command, async ({ settings, io }) => {
          const { pickBuild } = await import('../explain/pick-build.ts');
          const { pickSteps } = await import('../explain/pick-steps.ts');
          const { formatPlatform, hostPlatform, parsePlatform } = await import('../../../image/index.ts');
          const platform = flags.platform && formatPlatform(parsePlatform(flags.platform, hostPlatform(process)));
          const { context, file, target } = flags;
          await using engine = await engineFor(settings);
          const builds = await engine.builds.list();
          const picked = pickBuild(builds, { context, file, target, platform }, io.cwd);
          const build = await engine.builds.explain(picked.id);
          if (!build)
            throw cliError('BUILD_UNKNOWN', 'explain the last build: it was forgotten meanwhile', {
              remedy: 'Try again.',
            });
          const steps = word === undefined ? build.steps : pickSteps(build.steps, word);
          const before = builds.find(({ id }) => id === build.previous);
          if (flags.format === 'json') {
            const { explainJson } = await import('../explain/explain-json.ts');
            io.stdout.write(jsonText(explainJson(build, { steps, before })));
            return;
          }
          const { explainText } = await import('../explain/explain-text.ts');
          const columns = io.stdout.isTerminal ? io.stdout.size().columns : COLUMNS;
          const now = io.clock.now();
          const whole = word !== undefined;
          io.stdout.write(explainText(build, { steps, before, whole, style: io.outStyle, columns, now, cwd: io.cwd }));
        }),
      );
  },
};
