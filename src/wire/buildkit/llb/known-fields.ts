/** What no message of a definition may have: a field that this version does not know, or a text with a zero byte, which no path, variable or name can have. */
export interface OddField {
  readonly field: string;
  readonly kind: 'unknown' | 'zero byte';
}

/** The first odd field of a message or of one in it: `mounts[2]: field 99`. Messages are nested as deep as their types are, which is bounded but for `definition`: those are read on their own. */
export function oddField(message: unknown, skip: ReadonlySet<string> = NONE): OddField | undefined {
  return find(message, '', skip);
}

const NONE: ReadonlySet<string> = new Set();

function find(value: unknown, path: string, skip: ReadonlySet<string>): OddField | undefined {
  if (typeof value === 'string') return value.includes('\0') ? { field: path, kind: 'zero byte' } : undefined;
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return undefined;
  if (Array.isArray(value)) {
    for (const [index, item] of value.entries()) {
      const found = find(item, `${path}[${index}]`, skip);
      if (found !== undefined) return found;
    }
    return undefined;
  }
  for (const [name, member] of Object.entries(value)) {
    if (name === '$unknown' && Array.isArray(member) && member.length > 0) {
      const { no } = member[0] as { no: number };
      return { field: `${path === '' ? '' : `${path}: `}field ${no}`, kind: 'unknown' };
    }
    if (name.startsWith('$') || skip.has(name)) continue;
    if (name.includes('\0')) return { field: path, kind: 'zero byte' };
    const found = find(member, path === '' ? name : `${path}.${name}`, skip);
    if (found !== undefined) return found;
  }
  return undefined;
}
