import { parseToml, type SourcePlace } from '../../../base/index.ts';
import { buildpackError } from '../errors.ts';
import { tomlLine, type TomlPath } from '../model/toml-place.ts';

/** A file that a person wrote, for messages. */
export interface TomlSource {
  readonly file: string;
  readonly text: string;
}

/**
 * A table of a TOML file that is read key by key; `end` refuses what nobody asked for. Throws `CNB_FILE_INVALID` with the place of the key.
 */
export class StrictTable {
  readonly #at: TomlPath;
  readonly #table: Readonly<Record<string, unknown>>;
  readonly #source: TomlSource;
  readonly #known = new Set<string>();
  readonly #children: StrictTable[] = [];

  constructor(table: Readonly<Record<string, unknown>>, o: { at: TomlPath; source: TomlSource }) {
    this.#at = o.at;
    this.#table = table;
    this.#source = o.source;
  }

  static read(text: string, file: string): StrictTable {
    return new StrictTable(parseToml(text, file), { at: [], source: { file, text } });
  }

  has(key: string): boolean {
    return this.#table[key] !== undefined;
  }

  string(key: string): string | undefined {
    return this.#typed(key, 'a string', (value) => typeof value === 'string') as string | undefined;
  }

  boolean(key: string): boolean | undefined {
    return this.#typed(key, 'true or false', (value) => typeof value === 'boolean') as boolean | undefined;
  }

  strings(key: string): readonly string[] {
    const isStrings = (value: unknown): boolean =>
      Array.isArray(value) && value.every((one) => typeof one === 'string');
    return (this.#typed(key, 'a list of strings', isStrings) as string[] | undefined) ?? [];
  }

  table(key: string): StrictTable | undefined {
    const value = this.#typed(key, 'a table', isTable);
    return value === undefined ? undefined : this.#child(value as Record<string, unknown>, [key]);
  }

  tables(key: string): readonly StrictTable[] {
    const isTables = (value: unknown): boolean => Array.isArray(value) && value.every((one) => isTable(one));
    const value = this.#typed(key, 'a list of tables', isTables);
    return ((value as Record<string, unknown>[] | undefined) ?? []).map((one, index) => this.#child(one, [key, index]));
  }

  /** Throws for a key of this table, or of one that was read in it, that nobody asked for. */
  end(): void {
    const unknown = Object.keys(this.#table).find((key) => !this.#known.has(key));
    if (unknown !== undefined)
      throw buildpackError('CNB_FILE_INVALID', `read "${this.#source.file}": unknown key "${this.#full(unknown)}"`, {
        remedy: this.#known.size > 0 ? `Use ${[...this.#known].toSorted().join(', ')}.` : undefined,
        place: this.#place(unknown),
      });
    for (const child of this.#children) child.end();
  }

  /** The error of a value that cannot be meant. */
  invalid(key: string, detail: string, remedy?: string): Error {
    return buildpackError('CNB_FILE_INVALID', `read "${this.#source.file}": ${detail}`, {
      remedy,
      place: this.#place(key),
    });
  }

  #place(key: string): SourcePlace | undefined {
    const { file, text } = this.#source;
    const line = tomlLine(text, [...this.#at, key]);
    return line === undefined ? undefined : { file, line, text: text.split('\n')[line - 1] };
  }

  #typed(key: string, what: string, is: (value: unknown) => boolean): unknown {
    this.#known.add(key);
    const value = this.#table[key];
    if (value === undefined || is(value)) return value;
    throw this.invalid(key, `"${this.#full(key)}" must be ${what}`);
  }

  #child(value: Record<string, unknown>, at: TomlPath): StrictTable {
    const child = new StrictTable(value, { at: [...this.#at, ...at], source: this.#source });
    this.#children.push(child);
    return child;
  }

  #full(key: string): string {
    return [...this.#at, key].filter((part) => typeof part === 'string').join('.');
  }
}

function isTable(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date);
}
