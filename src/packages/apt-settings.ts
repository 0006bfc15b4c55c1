/** The tree of apt's settings as a flat table: names in lower case with "::" between parts, as `acquire::check-valid-until`. */
export interface AptSettings {
  get(name: string): string | undefined;
  /** A setting that is yes or no, in every spelling apt knows. */
  flag(name: string): boolean | undefined;
  /** A setting that is a whole number. */
  number(name: string): number | undefined;
}

/** Reads what `apt-config dump` prints: one `Name "value";` per line. */
export function parseDump(text: string): AptSettings {
  const values = new Map<string, string>();
  for (const line of text.split('\n')) {
    const match = /^(\S+) "(.*)";$/.exec(line);
    if (match?.[1] !== undefined && match[2] !== undefined && !match[1].endsWith('::'))
      values.set(match[1].toLowerCase(), unescapeDump(match[2]));
  }
  return settingsOf(values);
}

/** Reads the text of apt.conf(5) files, given in the order apt would read them; a later value wins. `#include` and list elements are passed over, `#clear` is obeyed. */
export function parseAptConf(files: readonly string[]): AptSettings {
  const values = new Map<string, string>();
  for (const text of files) readConf(text, values);
  return settingsOf(values);
}

function settingsOf(values: ReadonlyMap<string, string>): AptSettings {
  const get = (name: string): string | undefined => values.get(name.toLowerCase());
  return {
    get,
    flag: (name) => aptFlag(get(name)),
    number: (name) => {
      const value = get(name);
      return value !== undefined && /^-?\d+$/.test(value.trim()) ? Number(value) : undefined;
    },
  };
}

/** apt's StringToBool: a word, or a number that is 0 or not. */
export function aptFlag(value: string | undefined): boolean | undefined {
  const word = value?.trim().toLowerCase() ?? '';
  if (/^(?:no|false|without|off|disable)$/.test(word)) return false;
  if (/^(?:yes|true|with|on|enable)$/.test(word)) return true;
  return /^\d+$/.test(word) ? Number(word) !== 0 : undefined;
}

/** `apt-config dump` writes quotes and the like as %xx. */
function unescapeDump(text: string): string {
  return text.replaceAll(/%([0-9a-fA-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}

const TOKEN = /\/\*[^]*?\*\/|\/\/[^\n]*|#(?:clear)\s+[^;]*;|#[^\n]*|"((?:[^"\\]|\\.)*)"|[{};]|[^\s{};"]+/g;

function readConf(text: string, values: Map<string, string>): void {
  const scopes: string[] = [];
  let words: string[] = [];
  const nameOf = (word: string): string => [...scopes, word].join('::').toLowerCase();
  for (const match of text.matchAll(TOKEN)) {
    const [token, quoted] = match;
    if (token.startsWith('/*') || token.startsWith('//')) continue;
    if (token.startsWith('#clear')) {
      for (const name of token.slice(6, -1).trim().split(/\s+/)) clear(values, name.toLowerCase());
    } else if (token.startsWith('#')) continue;
    else if (token === '{') {
      scopes.push(words[0] ?? '');
      words = [];
    } else if (token === '}') {
      scopes.pop();
      words = [];
    } else if (token === ';') {
      const [name, value] = words;
      if (name !== undefined && value !== undefined && !name.endsWith('::')) values.set(nameOf(name), value);
      words = [];
    } else words.push(quoted ?? token);
  }
}

function clear(values: Map<string, string>, name: string): void {
  for (const key of values.keys()) if (key === name || key.startsWith(`${name}::`)) values.delete(key);
}
