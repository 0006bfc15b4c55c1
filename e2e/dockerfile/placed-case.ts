import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Case } from './case-file.ts';
import { placeContext } from './place-context.ts';

/** A case on disk. */
export interface PlacedCase {
  /** Its own folder. */
  readonly folder: string;
  readonly context: string;
  readonly dockerfile: string;
  /** Where results may be unpacked. */
  readonly scratch: string;
  readonly env?: Readonly<Record<string, string>> | undefined;
  /** Addresses that stand in the case as `@NAME@`. */
  readonly places: Readonly<Record<string, string>>;
}

/**
 * Writes the Dockerfile and the context of a case below `work`. Cases of the standard context may share it; not with BuildKit, which keeps what it was sent of any folder of that name, does not
 * ask again for a file of the same size and time, and changes the times of folders when the next build sends other files of them.
 */
export function placeCase(
  one: Case,
  work: string,
  o: { places?: Readonly<Record<string, string>> | undefined; share: boolean },
): PlacedCase {
  const folder = join(work, 'cases', one.name);
  mkdirSync(folder, { recursive: true });
  const isShared = o.share && one.tree === undefined && one.files.size === 0 && !one.inside;
  const context = isShared ? join(work, 'standard') : join(folder, `${one.name}-${process.pid}`);
  const dockerfile = join(one.inside ? context : folder, 'Dockerfile');
  const all = { ...o.places, CTX: context };
  if (!existsSync(context)) {
    const files = new Map(one.inside ? [...one.files, ['Dockerfile', replaced(one.dockerfile, all)]] : one.files);
    placeContext(context, { ...one, files });
  }
  if (!one.inside) writeFileSync(dockerfile, replaced(one.dockerfile, all));
  const scratch = join(work, 'scratch');
  mkdirSync(scratch, { recursive: true });
  return { folder, context, dockerfile, scratch, places: all };
}

/** The words of the command line that both builders get. `outside` says how a path of this machine is called there. */
export function argumentsOf(one: Case, placed: PlacedCase, outside: (path: string) => string): readonly string[] {
  const { AGENT = '', LAYOUT = '' } = placed.places;
  const paths = { CTX: outside(placed.context), AGENT: outside(AGENT), LAYOUT: outside(LAYOUT) };
  const places = { ...placed.places, ...paths };
  return [
    ...one.flags.map((word) => replaced(word, places)),
    ...(one.inside ? [] : ['-f', outside(placed.dockerfile)]),
  ];
}

function replaced(text: string, places: Readonly<Record<string, string>>): string {
  return text.replaceAll(/@([A-Z]+)@/g, (whole, name: string) => places[name] ?? whole);
}

/** The lint remarks of a stream of BuildKit's status as JSON: `Rule: message (line N)`, sorted, each once. */
export function warningsOf(stream: string): readonly string[] {
  const found = new Set<string>();
  for (const text of stream.split('\n')) {
    if (!text.startsWith('{')) continue;
    const { warnings = [] } = JSON.parse(text) as {
      warnings?: { short: string; range?: { start: { line: number } }[] }[];
    };
    for (const { short, range } of warnings) {
      const message = Buffer.from(short, 'base64')
        .toString()
        .replace(/ \(line \d+\)$/, '');
      const line = range?.[0]?.start.line;
      found.add(line === undefined ? message : `${message} (line ${line})`);
    }
  }
  return [...found].sort();
}
