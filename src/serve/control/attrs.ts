import { serveError } from '../errors.ts';

/** Attributes of an exporter or a cache, taken one by one; BuildKit's are text. */
export class Attrs {
  readonly #what: string;
  readonly #left: Map<string, string>;

  constructor(what: string, attrs: Readonly<Record<string, string>>) {
    this.#what = what;
    this.#left = new Map(Object.entries(attrs));
  }

  text(name: string): string | undefined {
    const value = this.#left.get(name);
    this.#left.delete(name);
    return value === '' ? undefined : value;
  }

  /** Go's ParseBool; an attribute without a value is true. Throws `EXPORTER_INVALID`. */
  boolean(name: string): boolean | undefined {
    if (!this.#left.has(name)) return undefined;
    const value = this.#left.get(name) ?? '';
    this.#left.delete(name);
    if (/^(?:1|t|true|)$/i.test(value)) return true;
    if (/^(?:0|f|false)$/i.test(value)) return false;
    throw serveError('EXPORTER_INVALID', `read ${this.#what}: non-bool value "${value}" specified for ${name}`);
  }

  /** Throws `EXPORTER_INVALID`. */
  integer(name: string): number | undefined {
    const value = this.text(name);
    if (value === undefined) return undefined;
    if (!/^-?\d+$/.test(value))
      throw serveError('EXPORTER_INVALID', `read ${this.#what}: non-integer value "${value}" specified for ${name}`);
    return Number(value);
  }

  /** The names that are left. */
  names(): readonly string[] {
    return [...this.#left.keys()];
  }
}
