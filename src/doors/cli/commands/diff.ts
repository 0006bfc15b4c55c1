import { Option } from 'commander';
import type { Compared, ImageDifference } from '../../../engine/index.ts';
import { usage } from '../errors.ts';
import type { CliCommand } from '../command.ts';
import { registryOptions } from '../shared-options.ts';
import { collectValues } from '../parse/values.ts';
import { engineFor, lazyCredentials } from '../settings.ts';

interface Flags {
  readonly format: 'text' | 'json';
  readonly ignore: readonly string[];
  readonly platform?: string | undefined;
  readonly quiet?: boolean | undefined;
}

/** Exit code when the two are not the same, as diff(1) has it. */
const DIFFERENT = 1;

export const command: CliCommand = {
  about:
    'Says what differs between two images: their files (names, types, modes, owners, times, links, devices, attributes, contents), configuration, history, layers and annotations. Either may also be a folder or a tar of a root file system; then files alone are compared. Ends with 0 when they are the same, with 1 when they differ.',
  examples: [
    ['strake diff app:1 app:2', 'two images of the local store'],
    ['strake diff --ignore times,layers app docker://registry.example/app', 'a rebuild and what was pushed'],
    ['strake diff app.tar dir:rootfs', 'an archive and a folder'],
    ['strake diff --format json oci:a oci:b', 'all platforms of two indexes, for a program'],
  ],
  define(command, run) {
    registryOptions(command)
      .argument(
        '<a>',
        'a name in the store, docker://NAME, oci:FOLDER[:NAME], oci-archive:FILE[:NAME], docker-archive:FILE[:NAME], dir:FOLDER, or a path',
      )
      .argument('<b>', 'the same')
      .addOption(new Option('--format <format>', 'how it is printed').choices(['text', 'json']).default('text'))
      .option(
        '--ignore <list>',
        'what may differ: files, times, modes, owners, links, xattrs, content, config, history, layers, annotations',
        collectValues,
        [],
      )
      .option('--platform <platform>', 'only the images for this one (default: all of an index)')
      .option('-q, --quiet', 'print nothing, only end with 0 or 1')
      .action((a: string, b: string, flags: Flags) =>
        run(command, async ({ settings, io, signal }) => {
          const { COMPARED } = await import('../../../engine/index.ts');
          const { hostPlatform, parsePlatform } = await import('../../../image/index.ts');
          const { hostCredentials } = await import('../local-host.ts');
          const ignore = flags.ignore
            .flatMap((text) => text.split(','))
            .map((text) => ignorable(text.trim(), COMPARED));
          const platform =
            flags.platform === undefined ? undefined : parsePlatform(flags.platform, hostPlatform(process));
          await using engine = await engineFor(settings);
          const differences = engine.compare(a, b, {
            ignore,
            platform,
            insecure: settings.insecure,
            host: { credentials: hostCredentials(lazyCredentials(io)) },
            signal,
          });
          if (flags.quiet) {
            for await (const _ of differences) return DIFFERENT;
            return 0;
          }
          const write = (text: string): void => {
            io.stdout.write(text);
          };
          if (flags.format === 'json') return (await writeJson({ a, b }, differences, write)) ? 0 : DIFFERENT;
          const { describeEntry } = await import('../../../tree/index.ts');
          const { DifferencePrinter } = await import('../diff/print-difference.ts');
          const printer = new DifferencePrinter(write, {
            style: io.outStyle,
            describe: ({ entry }) => describeEntry(entry),
          });
          for await (const difference of differences) printer.print(difference);
          const summary = printer.summary();
          write(`${summary === undefined ? 'the same' : `different: ${summary}`}\n`);
          return summary === undefined ? 0 : DIFFERENT;
        }),
      );
  },
};

function ignorable(text: string, known: readonly Compared[]): Compared {
  const found = known.find((name) => name === text);
  if (found === undefined)
    throw usage(`read --ignore "${text}": there is no such part`, `Use one or more of ${known.join(', ')}.`);
  return found;
}

/** One document, written piece by piece: there may be very many differences. True when there was none. */
async function writeJson(
  names: { a: string; b: string },
  differences: AsyncIterable<ImageDifference>,
  write: (text: string) => void,
): Promise<boolean> {
  write(`{\n  "a": ${JSON.stringify(names.a)},\n  "b": ${JSON.stringify(names.b)},\n  "differences": [`);
  let count = 0;
  for await (const difference of differences) {
    write(`${count === 0 ? '' : ','}\n    ${JSON.stringify(difference, plainValues)}`);
    count += 1;
  }
  write(`${count === 0 ? '' : '\n  '}],\n  "same": ${count === 0}\n}\n`);
  return count === 0;
}

/** Attributes as hexadecimal digits. */
function plainValues(_: string, value: unknown): unknown {
  if (!(value instanceof Map)) return value;
  return Object.fromEntries(
    [...(value as Map<string, Uint8Array>)].map(([name, bytes]) => [name, Buffer.from(bytes).toString('hex')]),
  );
}
