import { formatNumber, ValueError } from '../hcl/index.ts';

/** What YAML comes to. */
export type Plain = unknown;

export type PlainMap = Readonly<Record<string, Plain>>;

export function isMap(value: Plain): value is PlainMap {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A scalar as text; undefined for none. Throws `ValueError`. */
export function textOf(value: Plain, what: string): string | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value === 'string') return value;
  if (typeof value === 'number') return formatNumber(value);
  if (typeof value === 'boolean') return String(value);
  throw new ValueError(`${what} must be a text`);
}

export function textsOf(value: Plain, what: string): readonly string[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) throw new ValueError(`${what} must be a list`);
  return value.map((item) => textOf(item, what) ?? '');
}

/** A map, or a list of `key=value` (of hosts also `key:value`); a key alone has no value. */
export function mapOf(value: Plain, what: string): Map<string, string | undefined> {
  if (value === undefined || value === null) return new Map();
  if (isMap(value))
    return new Map(
      Object.entries(value).map(([key, item]) => [
        key,
        Array.isArray(item) ? textsOf(item, what).join(',') : textOf(item, `${what}.${key}`),
      ]),
    );
  const found = new Map<string, string | undefined>();
  for (const text of textsOf(value, what)) {
    const at = what.endsWith('extra_hosts') && !text.includes('=') ? text.indexOf(':') : text.indexOf('=');
    if (at < 0) found.set(text, undefined);
    else found.set(text.slice(0, at), text.slice(at + 1));
  }
  return found;
}

/** `true`, or the words that variables bring. */
export function boolOf(value: Plain, what: string): boolean | undefined {
  if (value === undefined || value === null || value === '') return undefined;
  if (typeof value === 'boolean') return value;
  const text = String(textOf(value, what)).toLowerCase();
  if (['true', 'yes', 'y', 'on', '1'].includes(text)) return true;
  if (['false', 'no', 'n', 'off', '0'].includes(text)) return false;
  throw new ValueError(`${what} must be true or false`);
}

/** False for addresses, names of images and services, home folders and absolute paths. */
export function isLocalPath(path: string): boolean {
  return !/^(?:[a-z][a-z0-9+.-]*:|git@|github\.com\/|\/|~)/i.test(path);
}
