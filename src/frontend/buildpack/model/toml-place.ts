/** The path of a value in a TOML document: keys, and the index where it is in a list of tables. */
export type TomlPath = readonly (string | number)[];

/**
 * The line (from 1) on which a value of a TOML document stands, or where it is not found its table; undefined where that is not found either. It goes by the form of the lines (headers, `key =`): a
 * document in unusual dress may give the line of the table only.
 */
export function tomlLine(text: string, path: TomlPath): number | undefined {
  const wanted = keysOf(path);
  const counts = new Map<string, number>();
  let table: string[] = [];
  let best: { line: number; depth: number } | undefined;
  let quotes: string | undefined;
  for (const [index, line] of text.split('\n').entries()) {
    if (quotes !== undefined) {
      if (line.includes(quotes)) quotes = undefined;
      continue;
    }
    const header = /^\s*(\[\[?)\s*([^\]]+?)\s*\]\]?/.exec(line);
    if (header) {
      table = tableOf(splitKey(header[2]!), { list: header[1] === '[[', counts });
      note(table, index + 1);
      continue;
    }
    const pair = /^\s*((?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*'))*)\s*=/.exec(
      line,
    );
    if (pair) note([...table, ...splitKey(pair[1]!)], index + 1);
    const open = /("""|''')/.exec(line);
    if (open && line.split(open[1]!).length % 2 === 0) quotes = open[1];
  }
  return best?.line;

  function note(at: readonly string[], line: number): void {
    const depth = Math.min(at.length, wanted.length);
    if (depth > (best?.depth ?? 0) && at.slice(0, depth).every((key, i) => key === wanted[i])) best = { line, depth };
  }
}

/** `order`, 1, `group` -> `order`, `#1`, `group`. */
const keysOf = (path: TomlPath): readonly string[] =>
  path.map((part) => (typeof part === 'number' ? `#${part}` : part));

function tableOf(keys: readonly string[], o: { list: boolean; counts: Map<string, number> }): string[] {
  const out: string[] = [];
  for (const [index, key] of keys.entries()) {
    out.push(key);
    const name = out.join('\0');
    const last = index === keys.length - 1;
    if (last && o.list) o.counts.set(name, (o.counts.get(name) ?? -1) + 1);
    const count = o.counts.get(name);
    if (count !== undefined) out.push(`#${count}`);
  }
  return out;
}

function splitKey(text: string): string[] {
  return [...text.matchAll(/"([^"]*)"|'([^']*)'|([A-Za-z0-9_-]+)/g)].map((match) => match[1] ?? match[2] ?? match[3]!);
}
