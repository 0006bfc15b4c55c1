/** Where something stands in a definition: what it is told of by, in errors. */
export interface WirePlace {
  /** `file op "sha256:…"`. */
  readonly what: string;
}

/** The first field of a message, or of one in it, that this version does not know: `mounts[2]: field 99`. Nested as deep as the messages' types are, which is bounded but for `definition`: those are read on their own. */
export function unknownField(message: unknown, skip: ReadonlySet<string> = NONE): string | undefined {
  return find(message, '', skip);
}

const NONE: ReadonlySet<string> = new Set();

function find(value: unknown, path: string, skip: ReadonlySet<string>): string | undefined {
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return undefined;
  if (Array.isArray(value)) {
    for (const [index, item] of value.entries()) {
      const found = find(item, `${path}[${index}]`, skip);
      if (found !== undefined) return found;
    }
    return undefined;
  }
  for (const [name, member] of Object.entries(value)) {
    if (name === '$unknown' && Array.isArray(member) && member.length > 0)
      return `${path === '' ? '' : `${path}: `}field ${(member[0] as { no: number }).no}`;
    if (name.startsWith('$') || skip.has(name)) continue;
    const found = find(member, path === '' ? name : `${path}.${name}`, skip);
    if (found !== undefined) return found;
  }
  return undefined;
}
