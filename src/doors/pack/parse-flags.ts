import { editDistance } from '../../base/index.ts';
import { packError } from './errors.ts';
import type { Flag } from './flag.ts';

export interface ParsedFlags {
  /** In the order they were given; a bool is `true` or `false`. */
  readonly values: ReadonlyMap<string, readonly string[]>;
  readonly words: readonly string[];
}

/** Reads a command line as Go's pflag does: `--name value`, `--name=value`, `-n value`, `-nvalue`, `-n=value`, `-qv`; a bool takes a value only after "=". Throws `PACK_FLAG_INVALID`. */
export function parseFlags(argv: readonly string[], flags: readonly Flag[]): ParsedFlags {
  const values = new Map<string, string[]>();
  const words: string[] = [];
  const add = ({ name }: Flag, value: string): void => void values.set(name, [...(values.get(name) ?? []), value]);
  const rest = argv.values();
  const next = (text: string): string => {
    const { value, done } = rest.next();
    if (done) throw invalid(`flag needs an argument: ${text}`);
    return value;
  };
  for (const word of rest) {
    if (word === '--') words.push(...rest);
    else if (word.startsWith('--')) {
      const [, name = '', text] = /^--([^=]*)(?:=([^]*))?$/.exec(word) ?? [];
      const flag = flags.find((one) => one.name === name) ?? unknown(`--${name}`, flags);
      add(flag, flag.kind === 'bool' ? boolOf(text ?? 'true', name) : (text ?? next(`--${name}`)));
    } else if (word.startsWith('-') && word !== '-') shorts(word, { flags, add, next });
    else words.push(word);
  }
  return { values, words };
}

function shorts(
  word: string,
  o: {
    readonly flags: readonly Flag[];
    readonly add: (flag: Flag, value: string) => void;
    readonly next: (text: string) => string;
  },
): void {
  for (let at = 1; at < word.length; at++) {
    const short = word.slice(at, at + 1);
    const flag = o.flags.find((one) => one.short === short) ?? unknown(`-${short}`, o.flags);
    const after = word.slice(at + 1);
    if (flag.kind !== 'bool') {
      o.add(flag, after === '' ? o.next(`-${short}`) : after.replace(/^=/, ''));
      return;
    }
    if (after.startsWith('=')) {
      o.add(flag, boolOf(after.slice(1), short));
      return;
    }
    o.add(flag, 'true');
  }
}

function boolOf(text: string, name: string): string {
  if (/^(?:1|t|T|true|TRUE|True)$/.test(text)) return 'true';
  if (/^(?:0|f|F|false|FALSE|False)$/.test(text)) return 'false';
  throw invalid(`"${text}" for --${name} is neither true nor false`);
}

function unknown(text: string, flags: readonly Flag[]): never {
  const [near] = flags
    .map(({ name }) => ({ name, distance: editDistance(`--${name}`, text) }))
    .sort((a, b) => a.distance - b.distance);
  throw invalid(`unknown flag: ${text}`, near && near.distance <= 2 ? `Did you mean --${near.name}?` : undefined);
}

function invalid(detail: string, remedy = 'See "pack --help".'): Error {
  return packError('PACK_FLAG_INVALID', `read the command line: ${detail}`, { remedy });
}
