import { goRegExp, messageOf, timeLimited } from '../../base/index.ts';
import type { StoreRecord } from '../../engine/index.ts';
import { serveError } from '../errors.ts';

type Fits = (record: StoreRecord) => boolean;

/** One pattern of a client's may take this long. */
const PATTERN_MS = 200;

/**
 * Which records fit, in containerd's words (pkg/filters): `field==value`, `!=`, `~=` with a pattern, or a field alone, joined by commas; of several texts one must fit. Undefined where nothing is asked. Throws `FILTER_INVALID`.
 */
export function recordFilter(filters: readonly string[]): Fits | undefined {
  const asked = filters.filter((text) => text.trim() !== '').map((text) => partsOf(text).map(partOf));
  if (asked.length === 0) return undefined;
  return (record) => asked.some((parts) => parts.every((part) => part(record)));
}

const FIELDS: Readonly<Record<string, (record: StoreRecord) => string | readonly string[] | boolean>> = {
  id: ({ id }) => id,
  parents: ({ parents }) => parents,
  parent: ({ parents }) => parents,
  description: ({ description }) => description,
  type: ({ kind }) => kind,
  inuse: ({ inUse }) => inUse,
  mutable: ({ mutable }) => mutable,
  immutable: ({ mutable }) => !mutable,
  shared: ({ shared }) => shared,
  private: ({ shared }) => !shared,
};

/** At commas that are not in quotes. */
function partsOf(text: string): readonly string[] {
  return (text.match(/(?:"(?:[^"\\]|\\.)*"|[^,"])+/g) ?? []).map((part) => part.trim()).filter((part) => part !== '');
}

function partOf(part: string): Fits {
  const [, name = '', operation = '', given = ''] = /^([\w.]+)\s*(?:(==|=|!=|~=)\s*(.*))?$/s.exec(part) ?? [];
  const field = Object.hasOwn(FIELDS, name) ? FIELDS[name] : undefined;
  if (!field) throw invalid(part, name === '' ? 'not of the form field==value' : `there is no field "${name}"`);
  const value = given.startsWith('"') ? unquoted(given, part) : given;
  const test = testOf(operation, value, part);
  return (record) => {
    const of = field(record);
    if (typeof of === 'boolean') return operation === '' ? of : test(of ? 'true' : 'false');
    const texts = typeof of === 'string' ? [of] : of;
    if (operation === '') return texts.some((text) => text !== '');
    return operation === '!=' ? texts.every(test) : texts.some(test);
  };
}

function testOf(operation: string, value: string, part: string): (text: string) => boolean {
  if (operation === '!=') return (text) => !same(text, value);
  if (operation !== '~=') return (text) => same(text, value);
  try {
    const pattern = goRegExp(value);
    return (text) => timeLimited(() => pattern.test(text), PATTERN_MS);
  } catch (error) {
    throw invalid(part, messageOf(error));
  }
}

/** Of what is true or false, "1" and "0" are said too. */
function same(text: string, value: string): boolean {
  return text === value || (text === 'true' && value === '1') || (text === 'false' && value === '0');
}

function unquoted(text: string, part: string): string {
  try {
    return JSON.parse(text) as string;
  } catch {
    throw invalid(part, 'the quotes do not close');
  }
}

function invalid(part: string, why: string): Error {
  return serveError('FILTER_INVALID', `read filter "${part.slice(0, 200)}": ${why}`, {
    remedy: `Use ${Object.keys(FIELDS).join(', ')} with ==, != or ~=.`,
  });
}
