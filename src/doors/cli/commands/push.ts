import { Option } from 'commander';
import type { CliCommand } from '../command.ts';
import { registryOptions } from '../shared-options.ts';
import { compressionOf } from '../parse/compression.ts';
import { PROGRESS_MODES } from '../progress/create-renderer.ts';
import { engineFor, isInsecure, lazyCredentials } from '../settings.ts';
import { withProgress } from '../transfer.ts';

interface Flags {
  readonly compression?: string;
  readonly quiet?: boolean;
  readonly progress?: string;
}

export const command: CliCommand = {
  about: 'Brings an image of the local store to a registry. What is there already does not travel.',
  examples: [
    ['strake push registry.example/team/app:1.2', 'to the registry that its name says'],
    ['strake push app registry.example/team/app:1.2', 'an image of another name'],
  ],
  define(command, run) {
    registryOptions(command)
      .argument('<image>', 'a name or ID in the local store')
      .argument('[name]', 'what it is called in the registry (default: the same)')
      .option('--compression <kind>', 'of layers: gzip, zstd or uncompressed, with a level as gzip:9')
      .option('-q, --quiet', 'show no progress')
      .addOption(new Option('--progress <mode>', 'how progress is shown').choices(PROGRESS_MODES))
      .action((image: string, name: string | undefined, flags: Flags) =>
        run(command, async (c) => {
          const { settings, io, signal } = c;
          const target = name ?? image;
          const { hostCredentials } = await import('../local-host.ts');
          const insecure = await isInsecure(target, settings);
          const compression = flags.compression === undefined ? undefined : compressionOf(flags.compression);
          const host = { credentials: hostCredentials(lazyCredentials(io)) };
          await using engine = await engineFor(settings);
          const { digest } = await withProgress(
            c,
            { title: 'Pushing', name: `push ${target}`, ...flags },
            ({ onProgress }) => engine.images.push(image, target, { insecure, compression, host, onProgress, signal }),
          );
          io.stdout.write(`${target.split('@')[0]}@${digest}\n`);
        }),
      );
  },
};
