import { Option } from 'commander';
import { registryOptions } from '../shared-options.ts';
import type { CliCommand, CliContext } from '../command.ts';
import { PROGRESS_MODES } from '../progress/create-renderer.ts';
import { engineFor, lazyCredentials } from '../settings.ts';
import { withProgress } from '../transfer.ts';

interface Flags {
  readonly publish?: boolean;
  readonly runImage?: string;
  readonly previousImage?: string;
  readonly pullPolicy?: string;
  readonly force?: boolean;
  readonly reportOutputDir?: string;
  readonly quiet?: boolean;
  readonly progress?: string;
}

const POLICIES: Readonly<Record<string, 'always' | 'missing' | 'never'>> = {
  always: 'always',
  'if-not-present': 'missing',
  never: 'never',
};

export const command: CliCommand = {
  about: `Puts an app image that buildpacks built on another version of its run image, without a build: only the layers of the base change.
With --publish that is done in the registry alone, and no layer travels through this machine unless it comes from another registry.`,
  examples: [
    ['strake rebase app', 'on the newest version of the run image that "app" was built on'],
    ['strake rebase --publish registry.example/team/app:1', 'the same in a registry'],
    ['strake rebase --run-image registry.example/run:2 --previous-image app:1 app:2', 'under another name'],
  ],
  define(command, run) {
    registryOptions(command)
      .argument('<image>', 'what the result is called, and the app image where --previous-image names no other')
      .option('--publish', 'read the app image in its registry, and push the result there')
      .option('--run-image <image>', 'the new base (default: the one that the app image names, or one of its mirrors)')
      .option('--previous-image <image>', 'the app image to put on it; it stays as it is')
      .addOption(
        new Option(
          '--pull-policy <policy>',
          'whether its registry is asked for the run image (default: what "strake config pull-policy" says, else always)',
        ).choices(Object.keys(POLICIES)),
      )
      .option('--force', 'also on a run image that the app image does not say it fits')
      .option('--report-output-dir <folder>', 'write report.toml there: what the result is called, and its digest')
      .option('-q, --quiet', 'show no progress')
      .addOption(new Option('--progress <mode>', 'how progress is shown').choices(PROGRESS_MODES))
      .action((image: string, flags: Flags) => run(command, (c) => rebase(c, { image, flags })));
  },
};

async function rebase(c: CliContext, { image, flags }: { image: string; flags: Flags }): Promise<void> {
  const { settings, io, signal } = c;
  const { hostCredentials } = await import('../local-host.ts');
  const { readUserConfig } = await import('../buildpack/user-config.ts');
  const { embeddedFolder } = await import('../build/embedded-folder.ts');
  await using engine = await engineFor({ ...settings, ownBases: embeddedFolder('buildpacks') });
  const result = await withProgress(c, { title: 'Rebasing', name: `rebase ${image}`, ...flags }, ({ onProgress }) =>
    engine.images.rebase(image, {
      publish: flags.publish,
      runImage: flags.runImage,
      previous: flags.previousImage,
      pull: POLICIES[flags.pullPolicy ?? readUserConfig(io).pullPolicy ?? 'always'],
      force: flags.force,
      host: { credentials: hostCredentials(lazyCredentials(io)) },
      onProgress,
      signal,
    }),
  );
  for (const warning of result.warnings) io.stderr.write(`${io.errStyle.yellow('warning')}: ${warning}\n`);
  if (flags.reportOutputDir !== undefined) {
    const { manifest, imageId } = result;
    const { writeReport } = await import('../buildpack/write-report.ts');
    await writeReport(flags.reportOutputDir, {
      report: {
        tags: [image],
        digest: manifest?.digest,
        manifestSize: manifest?.size,
        imageId: manifest ? undefined : imageId,
      },
      cwd: io.cwd,
    });
  }
  io.stdout.write(`${result.manifest ? `${image}@${result.manifest.digest}` : (result.imageId ?? '')}\n`);
}
