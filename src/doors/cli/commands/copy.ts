import { Option } from 'commander';
import type { CliCommand } from '../command.ts';
import { registryOptions } from '../shared-options.ts';
import { PROGRESS_MODES } from '../progress/create-renderer.ts';
import { engineFor, lazyCredentials } from '../settings.ts';
import { withProgress } from '../transfer.ts';

interface Flags {
  readonly platform?: string;
  readonly quiet?: boolean;
  readonly progress?: string;
}

export const command: CliCommand = {
  about:
    'Copies an image, or all platforms of an index, from one place to another; between registries without touching the local store.',
  examples: [
    [
      'strake copy docker://debian:bookworm docker://registry.example/debian:bookworm',
      'from registry to registry, all platforms',
    ],
    ['strake copy docker://debian:bookworm oci:layout:bookworm', 'into an OCI layout'],
    ['strake copy oci-archive:app.tar store:app', 'from an archive into the local store'],
  ],
  define(command, run) {
    registryOptions(command)
      .argument(
        '<from>',
        'store:NAME, docker://NAME, oci:FOLDER[:NAME], oci-archive:FILE[:NAME] or docker-archive:FILE[:NAME]',
      )
      .argument('<to>', 'the same')
      .option('--platform <platform>', 'only the image for this one (default: all of an index)')
      .option('-q, --quiet', 'show no progress')
      .addOption(new Option('--progress <mode>', 'how progress is shown').choices(PROGRESS_MODES))
      .action((from: string, to: string, flags: Flags) =>
        run(command, async (c) => {
          const { settings, io, signal } = c;
          const { hostPlatform, parsePlatform } = await import('../../../image/index.ts');
          const { hostCredentials } = await import('../local-host.ts');
          const platform =
            flags.platform === undefined ? undefined : parsePlatform(flags.platform, hostPlatform(process));
          const host = { credentials: hostCredentials(lazyCredentials(io)) };
          await using engine = await engineFor(settings);
          const { digest } = await withProgress(
            c,
            { title: 'Copying', name: `copy ${from} to ${to}`, ...flags },
            ({ onProgress }) => engine.images.copy(from, to, { platform, host, onProgress, signal }),
          );
          io.stdout.write(`${digest}\n`);
        }),
      );
  },
};
