import { Option } from 'commander';
import type { CliCommand } from '../command.ts';
import { registryOptions } from '../shared-options.ts';
import { PROGRESS_MODES } from '../progress/create-renderer.ts';
import { engineFor, isInsecure, lazyCredentials } from '../settings.ts';
import { withProgress } from '../transfer.ts';

interface Flags {
  readonly platform?: string;
  readonly quiet?: boolean;
  readonly progress?: string;
}

export const command: CliCommand = {
  about: 'Brings images from registries into the local store, several layers at once, each verified.',
  examples: [
    ['strake pull debian:bookworm', 'into the local store'],
    ['strake pull --platform linux/arm64 registry.example/app:1.2', 'for another platform'],
  ],
  define(command, run) {
    registryOptions(command)
      .argument('<name...>', 'images of registries')
      .option('--platform <platform>', 'as linux/arm64 (default: of this machine)')
      .option('-q, --quiet', 'print IDs only')
      .addOption(new Option('--progress <mode>', 'how progress is shown').choices(PROGRESS_MODES))
      .action((names: readonly string[], flags: Flags) =>
        run(command, async (c) => {
          const { settings, io, signal } = c;
          const { hostPlatform, parsePlatform } = await import('../../../image/index.ts');
          const { hostCredentials } = await import('../local-host.ts');
          const platform =
            flags.platform === undefined ? undefined : parsePlatform(flags.platform, hostPlatform(process));
          const host = { credentials: hostCredentials(lazyCredentials(io)) };
          await using engine = await engineFor(settings);
          for (const name of names) {
            const insecure = await isInsecure(name, settings);
            const image = await withProgress(
              c,
              { title: 'Pulling', name: `pull ${name}`, ...flags },
              ({ onProgress }) => engine.images.pull(name, { platform, insecure, host, onProgress, signal }),
            );
            io.stdout.write(`${image.id}\n`);
          }
        }),
      );
  },
};
