import { parseToml } from '../../../base/index.ts';
import type { CodedError } from '../../../base/index.ts';
import { buildpackError } from '../errors.ts';
import { tomlLine, type TomlPath } from './toml-place.ts';
import type { Table } from './types.ts';

interface Source {
  readonly file: string;
  readonly text: string;
}

/**
 * A table of a TOML document that is read by name and kind. Every reader throws CNB_FILE_INVALID with file and line for a value of another kind; keys that nobody asks for are passed over, as the
 * lifecycle does.
 */
export class TomlTable {
  readonly #source: Source;
  readonly #path: TomlPath;
  readonly #value: Readonly<Record<string, unknown>>;

  private constructor(source: Source, path: TomlPath, value: Readonly<Record<string, unknown>>) {
    this.#source = source;
    this.#path = path;
    this.#value = value;
  }

  /** Throws INVALID_TOML for text that is none. */
  static parse(text: string, file: string): TomlTable {
    return new TomlTable({ file, text }, [], parseToml(text, file));
  }

  has(key: string): boolean {
    return this.#value[key] !== undefined;
  }

  keys(): readonly string[] {
    return Object.keys(this.#value);
  }

  /** A text, undefined where it is not there. */
  text(key: string): string | undefined {
    const value = this.#value[key];
    if (value === undefined || typeof value === 'string') return value;
    throw this.fail(key, `is ${kindOf(value)}, not a text`);
  }

  /** A text that must be there and not be empty. */
  need(key: string): string {
    const value = this.text(key);
    if (value === undefined || value === '') throw this.fail(key, value === undefined ? 'is missing' : 'is empty');
    return value;
  }

  flag(key: string): boolean {
    const value = this.#value[key];
    if (value === undefined) return false;
    if (typeof value !== 'boolean') throw this.fail(key, `is ${kindOf(value)}, not true or false`);
    return value;
  }

  /** A list of texts; empty where it is not there. */
  list(key: string): readonly string[] {
    const value = this.#value[key];
    if (value === undefined) return [];
    if (!Array.isArray(value)) throw this.fail(key, `is ${kindOf(value)}, not a list of texts`);
    return value.map((item: unknown) => {
      if (typeof item !== 'string') throw this.fail(key, `holds ${kindOf(item)}, not only texts`);
      return item;
    });
  }

  /** A list of tables; empty where it is not there. */
  tables(key: string): readonly TomlTable[] {
    const value = this.#value[key];
    if (value === undefined) return [];
    if (!Array.isArray(value)) throw this.fail(key, `is ${kindOf(value)}, not a list of tables`);
    return value.map((item: unknown, index) => {
      if (!isTable(item)) throw this.fail(key, `holds ${kindOf(item)}, not only tables`);
      return new TomlTable(this.#source, [...this.#path, key, index], item);
    });
  }

  /** A table; an empty one where it is not there. */
  table(key: string): TomlTable {
    const value = this.#value[key];
    if (value !== undefined && !isTable(value)) throw this.fail(key, `is ${kindOf(value)}, not a table`);
    return new TomlTable(this.#source, [...this.#path, key], value ?? {});
  }

  /** A table whose keys are somebody's own. */
  free(key: string): Table {
    const value = this.#value[key];
    if (value === undefined) return {};
    if (!isTable(value)) throw this.fail(key, `is ${kindOf(value)}, not a table`);
    return plain(value) as Table;
  }

  number(key: string): number | undefined {
    const value = this.#value[key];
    if (value === undefined || typeof value === 'number') return value;
    throw this.fail(key, `is ${kindOf(value)}, not a number`);
  }

  raw(key: string): unknown {
    return this.#value[key];
  }

  /** An error about `key` of this table: `detail` says what is the matter, as `is missing`. */
  fail(key: string, detail: string, remedy?: string): CodedError {
    const { file, text } = this.#source;
    const path = [...this.#path, key];
    const line = tomlLine(text, path);
    const name = path
      .map((part) => (typeof part === 'number' ? `[${part}]` : `.${part}`))
      .join('')
      .slice(1);
    return buildpackError('CNB_FILE_INVALID', `read "${file}": "${name}" ${detail}`, {
      place: line === undefined ? undefined : { file, line, text: text.split('\n')[line - 1] },
      remedy,
    });
  }
}

function isTable(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date);
}

/** Objects of the parser have no prototype. */
function plain(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plain);
  return isTable(value) ? Object.fromEntries(Object.entries(value).map(([key, item]) => [key, plain(item)])) : value;
}

function kindOf(value: unknown): string {
  if (Array.isArray(value)) return 'a list';
  if (value instanceof Date) return 'a date';
  if (typeof value === 'object') return 'a table';
  return typeof value === 'string' ? 'a text' : typeof value === 'boolean' ? 'true or false' : 'a number';
}
