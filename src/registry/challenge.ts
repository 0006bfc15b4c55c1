/** One way to log in that a server offers (RFC 9110, 11.6.1). `scheme` and the names of parameters are in lower case. */
export interface Challenge {
  readonly scheme: string;
  readonly parameters: ReadonlyMap<string, string>;
}

const TOKEN = /[!#$%&'*+.^_`|~0-9A-Za-z-]+/y;
const TOKEN68 = /[A-Za-z0-9._~+/-]+=*(?=\s*(?:,|$))/y;
const VALUE = /\s*=\s*(?:"((?:[^"\\]|\\.)*)"?|([^\s,"]*))/y;

/** All challenges of the `WWW-Authenticate` headers of one answer: one header may hold several. What cannot be read is skipped. */
export function parseChallenges(headers: readonly string[]): readonly Challenge[] {
  const found: { scheme: string; parameters: Map<string, string> }[] = [];
  for (const text of headers) {
    let at = 0;
    const take = (pattern: RegExp): RegExpExecArray | null => {
      pattern.lastIndex = at;
      const match = pattern.exec(text);
      if (match) at = pattern.lastIndex;
      return match;
    };
    while (at < text.length) {
      const name = take(TOKEN)?.[0];
      if (name === undefined) {
        at += 1;
        continue;
      }
      const current = found.at(-1);
      const value = current && take(VALUE);
      if (value) {
        current.parameters.set(name.toLowerCase(), value[1]?.replace(/\\(.)/g, '$1') ?? value[2] ?? '');
        continue;
      }
      found.push({ scheme: name.toLowerCase(), parameters: new Map() });
      take(/\s+/y);
      take(TOKEN68);
    }
  }
  return found;
}
