/** A value for `goJson`. A Map is a Go struct (members in its order), an object is a Go map (members sorted). Undefined members are left out. */
export type GoValue =
  | null
  | boolean
  | number
  | string
  | readonly GoValue[]
  | ReadonlyMap<string, GoValue | undefined>
  | { readonly [key: string]: GoValue | undefined };

/**
 * JSON text as Go's encoding/json writes it (Marshal, or MarshalIndent with `indent` spaces), so that what we encode has the same digest as what BuildKit encodes: map keys sorted by their UTF-8 bytes,
 * and `<`, `>`, `&`, U+2028 and U+2029 escaped.
 */
export function goJson(value: GoValue, indent = 0): string {
  return encode(value, indent > 0 ? ' '.repeat(indent) : '', '');
}

/** Members that Go's `omitempty` would leave out become undefined: "", 0, false, null, empty lists and empty maps. */
export function unlessEmpty<T extends GoValue>(value: T | undefined): T | undefined {
  if (value === undefined || value === null || value === '' || value === 0 || value === false) return undefined;
  if (typeof value !== 'object') return value;
  const size = Array.isArray(value) ? value.length : value instanceof Map ? value.size : Object.keys(value).length;
  return size === 0 ? undefined : value;
}

function encode(value: GoValue, step: string, margin: string): string {
  if (value === null || typeof value === 'boolean') return String(value);
  if (typeof value === 'number') return JSON.stringify(value);
  if (typeof value === 'string') return quote(value);
  const inner = margin + step;
  if (Array.isArray(value))
    return wrap(
      '[',
      ']',
      value.map((item: GoValue) => encode(item, step, inner)),
      { step, margin },
    );
  const members: string[] = [];
  const colon = step === '' ? ':' : ': ';
  for (const [key, member] of membersOf(value as ReadonlyMap<string, GoValue | undefined>))
    if (member !== undefined) members.push(quote(key) + colon + encode(member, step, inner));
  return wrap('{', '}', members, { step, margin });
}

function membersOf(
  value: ReadonlyMap<string, GoValue | undefined> | { readonly [key: string]: GoValue | undefined },
): Iterable<readonly [string, GoValue | undefined]> {
  if (value instanceof Map) return value;
  return Object.entries(value as { readonly [key: string]: GoValue | undefined }).sort(([a], [b]) =>
    Buffer.compare(Buffer.from(a), Buffer.from(b)),
  );
}

function wrap(open: string, close: string, items: readonly string[], o: { step: string; margin: string }): string {
  if (items.length === 0) return open + close;
  if (o.step === '') return open + items.join(',') + close;
  const inner = `\n${o.margin}${o.step}`;
  return open + inner + items.join(`,${inner}`) + `\n${o.margin}${close}`;
}

function quote(text: string): string {
  return JSON.stringify(text.toWellFormed()).replace(
    /[<>&\u2028\u2029]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
