/** Lines of an `--env-file` as `name=value`: as they stand, without quotes or escapes; a name alone takes its value from `env`, comments and empty lines are left out (docker run, --env-file). Throws what `fail` makes of a bad line. */
export function parseEnvFile(
  text: string,
  o: {
    readonly env: Readonly<Record<string, string | undefined>>;
    readonly fail: (line: number, detail: string) => Error;
  },
): string[] {
  const found: string[] = [];
  for (const [at, raw] of text
    .replace(/^\ufeff/, '')
    .split('\n')
    .entries()) {
    const line = raw.replace(/\r$/, '').trimStart();
    if (line === '' || line.startsWith('#')) continue;
    const equals = line.indexOf('=');
    const name = equals < 0 ? line.trimEnd() : line.slice(0, equals);
    if (name === '') throw o.fail(at + 1, 'the name is missing');
    if (/\s/.test(name)) throw o.fail(at + 1, `name "${name}" has white space in it`);
    const value = equals < 0 ? o.env[name] : line.slice(equals + 1);
    if (value !== undefined) found.push(`${name}=${value}`);
  }
  return found;
}
