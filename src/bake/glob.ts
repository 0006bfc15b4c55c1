/** Go's path.Match for names: `*`, `?`, `[a-z]`, `[^a]`, `\` before a character that means itself. Undefined for a pattern that is none. */
export function nameMatcher(pattern: string): ((name: string) => boolean) | undefined {
  let source = '';
  for (let at = 0; at < pattern.length; at++) {
    const char = pattern[at] ?? '';
    if (char === '*') source += '[^/]*';
    else if (char === '?') source += '[^/]';
    else if (char === '[') {
      const found = /^\[(\^?)((?:\\.|[^\]\\])+)\]/.exec(pattern.slice(at));
      if (!found) return undefined;
      source += `[${found[1]}${(found[2] ?? '').replace(/\\?([^\\-])/g, (_, one: string) => escaped(one))}]`;
      at += found[0].length - 1;
    } else if (char === '\\') {
      at += 1;
      if (at >= pattern.length) return undefined;
      source += escaped(pattern[at] ?? '');
    } else source += escaped(char);
  }
  try {
    const expression = new RegExp(`^${source}$`);
    return (name) => expression.test(name);
  } catch {
    return undefined;
  }
}

function escaped(char: string): string {
  return /[\w-]/.test(char) ? char : `\\${char}`;
}
