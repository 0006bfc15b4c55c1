import { Option } from 'commander';
import { summaryJson, repositoryOf, tagOf } from '../print/image-json.ts';
import { jsonText, tableText } from '../print/table.ts';
import { ageText, shortId, shortSize } from '../print/units.ts';
import type { CliCommand } from '../command.ts';
import { engineFor } from '../settings.ts';

interface Flags {
  readonly all?: boolean;
  readonly digests?: boolean;
  readonly quiet?: boolean;
  readonly trunc: boolean;
  readonly format: 'table' | 'json';
}

export const command: CliCommand = {
  about: 'Lists the images of the local store, the newest first.',
  examples: [
    ['strake images', 'names, IDs, ages and sizes'],
    ['strake images -q app', 'the IDs of all images called "app"'],
    ['strake images --format json', 'for programs'],
  ],
  define(command, run) {
    command
      .argument('[name]', 'only images of this repository, or with this name')
      .option('-a, --all', 'also images without a name')
      .option('--digests', 'show the digests of manifests')
      .option('-q, --quiet', 'print IDs only')
      .option('--no-trunc', 'print IDs in full')
      .addOption(new Option('--format <format>', 'how the list is printed').choices(['table', 'json']).default('table'))
      .action((name: string | undefined, flags: Flags) =>
        run(command, async ({ settings, io, signal }) => {
          await using engine = await engineFor(settings);
          const all = await engine.images.list({ signal });
          const images = all
            .filter(({ names }) =>
              name === undefined
                ? flags.all || names.some((one) => !one.startsWith('cache.local/'))
                : names.some((one) => one === name || repositoryOf(one) === name),
            )
            .sort((a, b) => (b.createdAt ?? 0) - (a.createdAt ?? 0) || (a.id < b.id ? -1 : 1));
          const id = (digest: string): string => (flags.trunc ? shortId(digest) : digest);
          if (flags.quiet) {
            for (const one of new Set(images.map((image) => id(image.id)))) io.stdout.write(`${one}\n`);
            return;
          }
          if (flags.format === 'json') {
            io.stdout.write(jsonText(images.map(summaryJson)));
            return;
          }
          const now = io.clock.now();
          const rows = images.flatMap((image) =>
            (image.names.length > 0 ? image.names : ['<none>']).map((one) => [
              repositoryOf(one),
              one === '<none>' ? '<none>' : tagOf(one),
              ...(flags.digests ? [image.manifestDigest ?? '<none>'] : []),
              id(image.id),
              ageText(image.createdAt, now),
              shortSize(image.size),
            ]),
          );
          const digests = flags.digests ? [{ title: 'DIGEST' }] : [];
          io.stdout.write(
            tableText(
              [
                { title: 'REPOSITORY', shrink: true },
                { title: 'TAG' },
                ...digests,
                { title: 'IMAGE ID' },
                { title: 'CREATED' },
                { title: 'SIZE', right: true },
              ],
              rows,
              {
                style: io.outStyle,
                columns: io.stdout.isTerminal ? io.stdout.size().columns : undefined,
              },
            ),
          );
        }),
      );
  },
};
