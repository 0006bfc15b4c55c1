import { createHash } from 'node:crypto';
import { collect, type Wait } from '../base/index.ts';
import { FileTreeContents } from './file-contents.ts';
import { putDirectory, putFile, type Unpacked } from './unpacked-tree.ts';
import type { Deb } from './deb.ts';
import type { Lock } from './lock.ts';

const DPKG = 'var/lib/dpkg';

/**
 * Writes dpkg's database for packages that are unpacked: what `dpkg --unpack` leaves behind, but that conffiles lie in their places already. With `state` "installed" the packages count as configured.
 * Source: dpkg's lib/dpkg (dbmodify.c, parsedump.c, trigdeferred.c) and dpkg-query(1).
 */
export async function writeDpkgDatabase(
  draft: Unpacked,
  packages: readonly { readonly name: string; readonly deb: Deb }[],
  o: { lock: Lock; state: 'unpacked' | 'installed' } & Wait,
): Promise<void> {
  const { epoch, architecture } = o.lock;
  const put = (path: string, content: string | Uint8Array, mode = 0o644, mtime = epoch): void =>
    putFile(draft, `${DPKG}/${path}`, { content, mode, mtime: Math.min(mtime, epoch) });
  for (const folder of ['alternatives', 'info', 'parts', 'triggers', 'updates'])
    putDirectory(draft, `${DPKG}/${folder}`, { mtime: epoch });
  const status: string[] = [];
  const fileTriggers: string[] = [];
  const namedTriggers = new Map<string, string[]>();
  for (const { name, deb } of packages) {
    const infoName = deb.control.get('multi-arch') === 'same' ? `${name}:${deb.control.get('architecture')}` : name;
    put(`info/${infoName}.list`, listOf(deb, draft.lost.get(name)));
    for (const [file, { content, executable, mtime }] of deb.scripts)
      put(`info/${infoName}.${file}`, content, executable ? 0o755 : 0o644, mtime);
    status.push(await statusStanza(deb, { ...o, draft }));
    for (const line of textOf(deb, 'triggers').split('\n')) {
      const match = /^\s*interest(?:-(noawait|await))?\s+(\S+)/.exec(line);
      if (!match?.[2]) continue;
      const who = match[1] === 'noawait' ? `${infoName}/noawait` : infoName;
      if (match[2].startsWith('/')) fileTriggers.push(`${match[2]} ${who}\n`);
      else namedTriggers.set(match[2], [...(namedTriggers.get(match[2]) ?? []), `${who}\n`]);
    }
  }
  put('status', status.join('\n'));
  put('arch', `${architecture}\n`);
  put('info/format', '1\n');
  put('triggers/File', fileTriggers.join(''));
  put('triggers/Unincorp', '');
  for (const [trigger, who] of namedTriggers) put(`triggers/${trigger}`, who.join(''));
  for (const file of ['available', 'diversions', 'statoverride']) put(file, '');
}

/** What dpkg -L prints: names as the package has them, the root as "/.", in the order of the archive as dpkg-deb writes it: symbolic links last. */
function listOf(deb: Deb, lost: ReadonlySet<string> | undefined): string {
  const own = deb.entries.filter(({ path }) => path !== '' && !lost?.has(path));
  const links = own.filter(({ type }) => type === 'symlink');
  const others = own.filter(({ type }) => type !== 'symlink');
  return ['/.', ...[...others, ...links].map(({ path }) => `/${path}`)].map((name) => `${name}\n`).join('');
}

async function statusStanza(deb: Deb, o: { state: string; draft: Unpacked } & Wait): Promise<string> {
  const lines = deb.controlText.trimEnd().split('\n');
  const conffiles = await conffileLines(deb, o);
  const stanza: string[] = [];
  for (const line of lines) {
    if (/^(?:status|conffiles)\s*:/i.test(line)) continue;
    if (/^description\s*:/i.test(line)) stanza.push(...conffiles.splice(0));
    stanza.push(line.trimEnd());
    if (/^package\s*:/i.test(line)) stanza.push(`Status: install ok ${o.state}`);
  }
  stanza.push(...conffiles);
  return `${stanza.join('\n')}\n`;
}

/** The digest is that of the file as the package brings it: what dpkg writes once it has configured it. */
async function conffileLines(deb: Deb, w: Wait): Promise<string[]> {
  const names = textOf(deb, 'conffiles')
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line.startsWith('/'));
  if (names.length === 0) return [];
  const lines = ['Conffiles:'];
  const contents = new FileTreeContents(deb.data, deb.entries);
  for (const name of names) {
    const content = await contents.read(name.slice(1), w);
    if (content)
      lines.push(
        ` ${name} ${createHash('md5')
          .update(await collect(content))
          .digest('hex')}`,
      );
  }
  return lines;
}

function textOf(deb: Deb, file: string): string {
  const found = deb.scripts.get(file);
  return found === undefined ? '' : Buffer.from(found.content).toString();
}
