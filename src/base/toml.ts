import { parse } from 'smol-toml';
import { CodedError, messageOf } from './error.ts';

/** A TOML document as plain data. Throws `INVALID_TOML` with the place for what does not parse. */
export function parseToml(text: string, file: string): Record<string, unknown> {
  try {
    return parse(text);
  } catch (error) {
    const { line, column } = error as { line?: number; column?: number };
    throw new CodedError({
      code: 'INVALID_TOML',
      kind: 'invalid',
      message: `read "${file}": ${messageOf(error).split('\n')[0]}`,
      place: line === undefined ? undefined : { file, line, column, text: text.split('\n')[line - 1] },
      cause: error,
    });
  }
}

/** A value for `encodeToml` that is TOML text already. */
export class TomlText {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

/**
 * Plain data as a TOML document, byte for byte as Go's BurntSushi/toml writes a struct (a file that ends up in an image must be that): plain members first, then tables, each in the
 * order of `value`; two blanks of indent for each level below the first; members that are undefined or null are left out. Throws TypeError for what TOML cannot hold.
 */
export function encodeToml(value: Readonly<Record<string, unknown>>): string {
  const out: string[] = [];
  writeTable(out, [], value);
  return out.join('');
}

function writeTable(out: string[], path: readonly string[], table: Readonly<Record<string, unknown>>): void {
  const members = Object.entries(table).filter(([, value]) => value !== undefined && value !== null);
  for (const [key, value] of members)
    if (!isTable(value) && !isTableList(value))
      out.push(`${'  '.repeat(path.length)}${keyText(key)} = ${inline(value)}\n`);
  for (const [key, value] of members) {
    const below = [...path, key];
    const name = below.map(keyText).join('.');
    const indent = '  '.repeat(path.length);
    if (isTableList(value)) {
      for (const item of value) {
        if (out.length > 0) out.push('\n');
        out.push(`${indent}[[${name}]]\n`);
        writeTable(out, below, item);
      }
    } else if (isTable(value)) {
      if (path.length === 0 && out.length > 0) out.push('\n');
      out.push(`${indent}[${name}]\n`);
      writeTable(out, below, value);
    }
  }
}

function isTable(value: unknown): value is Record<string, unknown> {
  return (
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    !(value instanceof Date) &&
    !(value instanceof TomlText)
  );
}

function isTableList(value: unknown): value is readonly Record<string, unknown>[] {
  return Array.isArray(value) && value.length > 0 && value.every(isTable);
}

function inline(value: unknown): string {
  if (typeof value === 'string') return quote(value);
  if (typeof value === 'boolean' || typeof value === 'bigint') return String(value);
  if (typeof value === 'number')
    return Number.isNaN(value) ? 'nan' : Number.isFinite(value) ? numberText(value) : value > 0 ? 'inf' : '-inf';
  if (value instanceof TomlText) return value.text;
  if (value instanceof Date) return value.toISOString();
  if (Array.isArray(value)) return `[${value.map(inline).join(', ')}]`;
  if (isTable(value))
    return `{${Object.entries(value)
      .filter(([, member]) => member !== undefined && member !== null)
      .map(([key, member]) => `${keyText(key)} = ${inline(member)}`)
      .join(', ')}}`;
  throw new TypeError(`encode TOML: a ${typeof value} has no form there`);
}

const numberText = (value: number): string =>
  Number.isInteger(value) && !Number.isSafeInteger(value) ? value.toFixed(1) : String(value);

const keyText = (key: string): string => (/^[A-Za-z0-9_-]+$/.test(key) ? key : quote(key));

const ESCAPES: Readonly<Record<string, string>> = {
  '\t': '\\t',
  '\n': '\\n',
  '\r': '\\r',
  '\b': '\\b',
  '\f': '\\f',
  '"': '\\"',
  '\\': '\\\\',
};

const quote = (text: string): string =>
  `"${text
    .toWellFormed()
    .replace(
      /[\u0000-\u001f"\\\u007f]/g,
      (char) => ESCAPES[char] ?? `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
    )}"`;
