/** Headers and trailers of a call. Names are lower case; one may stand several times, and each value counts. Values of names that end in `-bin` are bytes, in base64 on the wire. */
export class Metadata implements Iterable<readonly [string, string]> {
  readonly #pairs: (readonly [string, string])[] = [];

  /** `init`: one value or several of each name. */
  constructor(init: MetadataInit = {}) {
    for (const [name, value] of Object.entries(init))
      for (const one of typeof value === 'string' ? [value] : value) this.append(name, one);
  }

  append(name: string, value: string): void {
    this.#pairs.push([name.toLowerCase(), value]);
  }

  /** The first value. */
  get(name: string): string | undefined {
    return this.#pairs.find(([key]) => key === name)?.[1];
  }

  /** All values, in order. */
  all(name: string): readonly string[] {
    return this.#pairs.filter(([key]) => key === name).map(([, value]) => value);
  }

  /** The first value of a name that ends in `-bin`. */
  bytes(name: string): Uint8Array | undefined {
    const value = this.get(name);
    return value === undefined ? undefined : Buffer.from(value, 'base64');
  }

  [Symbol.iterator](): Iterator<readonly [string, string]> {
    return this.#pairs[Symbol.iterator]();
  }

  /** As Node's http2 sends it. */
  toHeaders(): Record<string, string | string[]> {
    const headers: Record<string, string | string[]> = {};
    for (const [name] of this.#pairs) headers[name] ??= [...this.all(name)];
    return headers;
  }
}

export type MetadataInit = Readonly<Record<string, string | readonly string[]>>;

/** From what Node's http2 gives beside its own headers, which join values with commas: names and values in turn, pseudo headers among them. */
export function metadataOf(raw: readonly string[]): Metadata {
  const metadata = new Metadata();
  for (let at = 0; at + 1 < raw.length; at += 2) {
    const name = raw[at] as string;
    if (!name.startsWith(':')) metadata.append(name, raw[at + 1] as string);
  }
  return metadata;
}
