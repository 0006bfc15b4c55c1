import { readFileSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { Option, type Command } from 'commander';
import { messageOf } from '../../../base/index.ts';
import type { BaseService } from '../../../engine/index.ts';
import { cliError } from '../errors.ts';
import { collectValues as list } from '../parse/values.ts';
import { jsonText, tableText } from '../print/table.ts';
import { ageText, plural, shortId } from '../print/units.ts';
import type { CliCommand, CliContext } from '../command.ts';
import { PROGRESS_MODES } from '../progress/create-renderer.ts';
import { engineFor } from '../settings.ts';
import { withProgress } from '../transfer.ts';

interface CreateFlags {
  readonly package: readonly string[];
  readonly lock?: string;
  readonly name?: string;
  readonly refresh?: boolean;
  readonly quiet?: boolean;
  readonly progress?: string;
}

const REFERENCE = 'as debian:bookworm, packages.local/debian:trixie-slim, or a name of strake.toml';

export const command: CliCommand = {
  about:
    "Makes base images from Debian packages, verified by the archive's keys, with no container tool and no registry.",
  examples: [
    [
      'strake base create debian:bookworm',
      'a base made here from packages, as "FROM packages.local/debian:bookworm" would',
    ],
    [
      'strake base create debian:trixie --package ca-certificates --name my-base',
      'with more in it, under a name of its own',
    ],
    ['strake base lock debian:bookworm -o strake.lock', 'every version and digest, to make the same bytes again'],
    ['strake base update', 'newer packages for every base made here'],
  ],
  define(command, run) {
    sources(
      command
        .command('list')
        .alias('ls')
        .summary('the bases known here')
        .description('Lists the bases that were made or resolved here.'),
    )
      .addOption(new Option('--format <format>', 'how the list is printed').choices(['table', 'json']).default('table'))
      .action((flags: { format: string }, own: Command) => run(own, (c) => listBases(flags, c)));
    const create = command
      .command('create')
      .summary('make a base')
      .description('Makes a base from packages, or finds the one made before, and names it in the store.');
    sources(create)
      .argument('<base>', REFERENCE)
      .option('-p, --package <name>', 'a package more than the variant has', list, [])
      .option('--lock <file>', 'make what this lock says')
      .option('--name <name>', 'what it is called in the store (default: as it was asked for)')
      .option('--refresh', 'ask the mirror for newer packages')
      .option('-q, --quiet', 'print the image ID only')
      .addOption(new Option('--progress <mode>', 'how progress is shown').choices(PROGRESS_MODES))
      .action((base: string, flags: CreateFlags, own: Command) => run(own, (c) => createBase(base, flags, c)));
    const lock = command
      .command('lock')
      .summary('print the lock of a base')
      .description('Prints the lock of a base: every package with version and digest.');
    sources(lock)
      .argument('<base>', REFERENCE)
      .option('-o, --output <file>', 'write it to a file')
      .action((base: string, flags: { output?: string }, own: Command) => run(own, (c) => lockBase(base, flags, c)));
    const update = command
      .command('update')
      .summary('resolve bases anew')
      .description(
        'Asks the mirrors for newer packages and makes the bases anew; all that are known where none is named.',
      );
    sources(update)
      .argument('[base...]', REFERENCE)
      .option('-q, --quiet', 'show no progress')
      .addOption(new Option('--progress <mode>', 'how progress is shown').choices(PROGRESS_MODES))
      .action((bases: readonly string[], flags: CreateFlags, own: Command) =>
        run(own, (c) => updateBases(bases, flags, c)),
      );
  },
};

function sources(command: Command): Command {
  return command
    .option('--mirror <url>', 'where packages come from, instead of where apt takes them from')
    .option('--keyring <file>', 'the keys that sign them');
}

/** `debian:bookworm` means the packages here: a base is never of a registry. */
function baseReference(text: string): string {
  return text.startsWith('packages.local/') ? text : `packages.local/${text}`;
}

const NOBODY = { credentials: async () => undefined };

async function listBases(flags: { format: string }, { settings, io, signal }: CliContext): Promise<void> {
  await using engine = await engineFor(settings);
  const bases = await engine.bases.list({ signal });
  if (flags.format === 'json') {
    io.stdout.write(jsonText(bases.map((base) => ({ ...base, createdAt: new Date(base.createdAt).toISOString() }))));
    return;
  }
  const rows = bases.map((base) => [
    base.reference,
    shortId(base.lock),
    String(base.packages),
    ageText(base.createdAt, io.clock.now()),
  ]);
  io.stdout.write(
    tableText([{ title: 'BASE' }, { title: 'LOCK' }, { title: 'PACKAGES', right: true }, { title: 'RESOLVED' }], rows, {
      style: io.outStyle,
    }),
  );
}

async function createBase(base: string, flags: CreateFlags, c: CliContext): Promise<void> {
  const { settings, io, signal } = c;
  const lock = flags.lock === undefined ? undefined : readText(resolve(io.cwd, flags.lock), flags.lock);
  await using engine = await engineFor(settings);
  const image = await withProgress(c, { title: 'Making', name: `base ${baseReference(base)}`, ...flags }, (telling) =>
    engine.bases.create(baseReference(base), {
      packages: flags.package,
      lock,
      name: flags.name,
      refresh: flags.refresh,
      host: NOBODY,
      signal,
      ...telling,
    }),
  );
  io.stdout.write(`${image.id}\n`);
}

async function lockBase(base: string, flags: { output?: string }, { settings, io, signal }: CliContext): Promise<void> {
  await using engine = await engineFor(settings);
  const text = await engine.bases.lock(baseReference(base), { signal });
  if (flags.output === undefined || flags.output === '-') {
    io.stdout.write(text);
    return;
  }
  try {
    writeFileSync(resolve(io.cwd, flags.output), text);
  } catch (error) {
    throw cliError('OUTPUT_INVALID', `write the lock to "${flags.output}": ${messageOf(error)}`, { cause: error });
  }
}

async function updateBases(named: readonly string[], flags: CreateFlags, c: CliContext): Promise<void> {
  const { settings, io, signal } = c;
  await using engine = await engineFor(settings);
  const known = await engine.bases.list({ signal });
  const bases = named.length > 0 ? named.map(baseReference) : [...new Set(known.map(({ reference }) => reference))];
  if (bases.length === 0) io.stderr.write('No base was made here yet: see "strake base create --help".\n');
  for (const base of bases) {
    const before = known.some(({ reference }) => reference === base)
      ? await packagesOf(engine.bases, base, signal)
      : undefined;
    await withProgress(c, { title: 'Updating', name: `base ${base}`, ...flags }, (telling) =>
      engine.bases.create(base, { refresh: true, host: NOBODY, signal, ...telling }),
    );
    const after = await packagesOf(engine.bases, base, signal);
    const changed =
      before === undefined ? undefined : [...after].filter(([name, version]) => before.get(name) !== version).length;
    io.stdout.write(
      `${base}: ${changed === undefined ? plural(after.size, 'package') : changed === 0 ? 'up to date' : `${plural(changed, 'package')} changed`}\n`,
    );
  }
}

async function packagesOf(bases: BaseService, base: string, signal: AbortSignal): Promise<Map<string, string>> {
  const { parseLock } = await import('../../../packages/index.ts');
  const { packages } = parseLock(await bases.lock(base, { signal }), base);
  return new Map(packages.map((one) => [one.name, one.version]));
}

function readText(path: string, shown: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw cliError('CONTEXT_NOT_FOUND', `read the lock "${shown}": ${messageOf(error)}`, { cause: error });
  }
}
