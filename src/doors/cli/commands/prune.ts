import { ageText, plural, shortSize } from '../print/units.ts';
import { bytesOf, durationOf } from '../parse/values.ts';
import { jsonText } from '../print/table.ts';
import { groundOption } from '../shared-options.ts';
import type { CliCommand } from '../command.ts';
import { engineFor } from '../settings.ts';

interface Flags {
  readonly all?: boolean;
  readonly olderThan?: string;
  readonly keep?: string;
  readonly images?: boolean;
  readonly dryRun?: boolean;
  readonly format?: string;
}

export const command: CliCommand = {
  about:
    'Gives back space: what no image and no cached step needs, and the cached steps and cache mounts of RUN lines that the flags name.',
  examples: [
    ['strake prune', 'what no image and no cached step needs'],
    ['strake prune --older-than 7d --keep 10g', 'steps not used for a week, and more until 10 GB are left'],
    ['strake prune --all', 'everything but images that have a name'],
    ['strake prune --all --dry-run', 'what that would be, with every cache mount'],
  ],
  define(command, run) {
    command
      .option('-a, --all', 'every cached step and cache mount, and every image without a name')
      .option('--older-than <span>', 'cached steps and cache mounts that were not used for so long, as 7d or 24h')
      .option('--keep <size>', 'the least recently used steps and cache mounts, until so much is left, as 10g')
      .option('--images', 'also images without a name')
      .option('--dry-run', 'only say what would go')
      .addOption(groundOption('whose snapshots and leftovers'))
      .option('--format <format>', 'table or json', 'table')
      .action((flags: Flags) =>
        run(command, async ({ settings, io, signal }) => {
          await using engine = await engineFor(settings);
          const report = await engine.store.prune({
            all: flags.all ?? false,
            olderThan: flags.olderThan === undefined ? undefined : durationOf(flags.olderThan, '--older-than'),
            keepBytes: flags.keep === undefined ? undefined : bytesOf(flags.keep, '--keep'),
            danglingImages: flags.images ?? false,
            dryRun: flags.dryRun ?? false,
            signal,
          });
          if (flags.format === 'json') {
            io.stdout.write(jsonText(report));
            return;
          }
          const would = flags.dryRun ? 'Would give back' : 'Gave back';
          for (const { id, bytes, usedAt } of report.caches)
            io.stdout.write(`cache mount "${id}": ${shortSize(bytes)}, last used ${ageText(usedAt, io.clock.now())}\n`);
          io.stdout.write(
            `${would} ${shortSize(report.bytes)}: ${plural(report.results, 'cached step')}, ${plural(report.images.length, 'image')}, ${plural(report.blobs, 'blob')}, ${plural(report.snapshots, 'snapshot')}${report.repositories === 0 ? '' : `, ${plural(report.repositories, 'git mirror')}`}${report.caches.length === 0 ? '' : `, ${plural(report.caches.length, 'cache mount')}`}.\n`,
          );
        }),
      );
  },
};
