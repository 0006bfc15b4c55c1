import { Option } from 'commander';
import { resolve } from 'node:path';
import { cliError } from '../errors.ts';
import type { CliCommand } from '../command.ts';
import { withProgress } from '../transfer.ts';
import { engineFor } from '../settings.ts';
import { compressionOf } from '../parse/compression.ts';

interface Flags {
  readonly output?: string;
  readonly format: 'oci' | 'docker';
  readonly compression?: string;
  readonly quiet?: boolean;
}

export const command: CliCommand = {
  about: 'Writes images of the local store to one archive.',
  examples: [
    ['strake save app -o app.tar', 'an archive that "docker load" and "podman load" read'],
    ['strake save app --format oci | ssh host podman load', 'to standard output'],
  ],
  define(command, run) {
    command
      .argument('<image...>', 'names or IDs')
      .option('-o, --output <file>', 'the archive (default: standard output)')
      .addOption(new Option('--format <format>', 'of the archive').choices(['docker', 'oci']).default('docker'))
      .option('--compression <kind>', 'of layers: gzip, zstd or uncompressed, with a level as gzip:9')
      .option('-q, --quiet', 'show no progress')
      .action((names: readonly string[], flags: Flags) =>
        run(command, async (c) => {
          const { settings, io, signal } = c;
          const toStdout = flags.output === undefined || flags.output === '-';
          if (toStdout && io.stdout.isTerminal)
            throw cliError('OUTPUT_TERMINAL', 'write an archive to standard output: it is a terminal', {
              remedy: 'Name a file with -o, or send it on with "|" or ">".',
            });
          const compression = flags.compression === undefined ? undefined : compressionOf(flags.compression);
          const { fileSink } = await import('../../../engine/index.ts');
          const { stdoutSink } = await import('../stdout-sink.ts');
          await using engine = await engineFor(settings);
          await withProgress(
            c,
            { title: 'Saving', name: `save ${names.join(' ')}`, quiet: flags.quiet, discreet: true },
            async () => {
              await using sink = toStdout ? stdoutSink() : fileSink(resolve(io.cwd, flags.output ?? ''), io.random);
              await engine.images.save(names, sink, { format: flags.format, compression, signal });
              await sink.close();
            },
          );
        }),
      );
  },
};
