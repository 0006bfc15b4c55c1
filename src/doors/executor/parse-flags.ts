import { editDistance } from '../../base/index.ts';
import { executorError } from './errors.ts';
import type { Flag } from './flag.ts';

/** Flags with their values in the order they were given, and what was no flag. */
export interface ParsedFlags {
  /** By the name the flag goes by now; a bool without a value is `true`. */
  readonly values: ReadonlyMap<string, readonly string[]>;
  /** Names as they were written. */
  readonly given: ReadonlySet<string>;
  readonly words: readonly string[];
}

/** Reads a command line as Go's pflag does: `--name value`, `--name=value`, `-n value`, `-nvalue`, `-n=value`; a bool takes a value only after "=". Throws `FLAG_INVALID`. */
export function parseFlags(argv: readonly string[], flags: readonly Flag[]): ParsedFlags {
  const values = new Map<string, string[]>();
  const given = new Set<string>();
  const words: string[] = [];
  const add = (flag: Flag, value: string): void => {
    given.add(flag.name);
    const name = flag.means ?? flag.name;
    const own = values.get(name);
    if (own) own.push(value);
    else values.set(name, [value]);
  };
  for (let i = 0; i < argv.length; i++) {
    const word = argv[i] ?? '';
    const next = (text: string): string => {
      i += 1;
      const value = argv[i];
      if (value === undefined) throw executorError('FLAG_INVALID', `read ${text}: flag needs an argument`);
      return value;
    };
    if (word === '--') {
      words.push(...argv.slice(i + 1));
      break;
    }
    if (word.startsWith('--')) {
      const equals = word.indexOf('=');
      const name = word.slice(2, equals < 0 ? undefined : equals);
      const flag = flags.find((one) => one.name === name);
      if (!flag) throw unknown(`--${name}`, flags);
      if (equals >= 0) add(flag, word.slice(equals + 1));
      else add(flag, flag.kind === 'bool' ? 'true' : next(`--${name}`));
    } else if (word.startsWith('-') && word !== '-') {
      const short = word.slice(1, 2);
      const flag = flags.find((one) => one.short === short);
      if (!flag) throw unknown(`-${short}`, flags);
      const rest = word.slice(2);
      if (rest.startsWith('=')) add(flag, rest.slice(1));
      else if (flag.kind === 'bool') add(flag, 'true');
      else add(flag, rest === '' ? next(`-${short}`) : rest);
    } else words.push(word);
  }
  return { values, given, words };
}

function unknown(text: string, flags: readonly Flag[]): Error {
  const near = flags
    .map(({ name }) => ({ name, distance: editDistance(`--${name}`, text) }))
    .sort((a, b) => a.distance - b.distance)[0];
  const remedy = near && near.distance <= 2 ? `Did you mean --${near.name}?` : 'See "executor --help".';
  return executorError('FLAG_INVALID', `read ${text}: unknown flag`, { remedy });
}
