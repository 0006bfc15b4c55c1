/** What a download is called: the name that was asked for, else the one that the server gives (RFC 6266), else the last part of the address's path. Never more than one part of a path (BuildKit's SafeFileName). */
export function fileNameOf(
  url: string,
  o: { readonly given?: string | undefined; readonly disposition?: string | undefined } = {},
): string {
  if (o.given !== undefined && o.given !== '') return safe(o.given);
  const named = o.disposition === undefined ? undefined : dispositionName(o.disposition);
  if (named !== undefined && named !== '' && !named.endsWith('/')) return safe(named);
  return safe(decoded(URL.parse(url)?.pathname ?? '') ?? '');
}

function safe(name: string): string {
  const base = name.trim().replace(/\/+$/, '').split('/').at(-1) ?? '';
  return base === '' || base === '.' || base === '..' || /\p{Cc}/u.test(base) ? 'download' : base;
}

function dispositionName(header: string): string | undefined {
  const extended = /;\s*filename\*\s*=\s*([\w-]+)'[^']*'([^;]*)/i.exec(header);
  if (extended && /^(?:utf-8|us-ascii)$/i.test(extended[1] ?? '')) {
    const name = decoded(extended[2]?.trim() ?? '');
    if (name !== undefined) return name;
  }
  const plain = /;\s*filename\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^;\s]*))/i.exec(header);
  return plain ? (plain[1]?.replaceAll(/\\(.)/g, '$1') ?? plain[2]) : undefined;
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}
