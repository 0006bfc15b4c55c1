import { collect, type Wait } from '../base/index.ts';
import { FileTreeContents } from './file-contents.ts';
import type { Lock } from './lock.ts';
import { putDirectory, putFile, putSymlink, treeOf, type Draft } from './unpacked-tree.ts';

/** Debian's numbers of groups that files here belong to (base-passwd). */
const MAIL = 8;
const SHADOW = 42;
const UTMP = 43;

const FOLDERS: readonly string[] = ['etc/opt', 'media', 'mnt', 'opt', 'srv', 'var/opt'];
const LOCAL: readonly string[] = ['bin', 'etc', 'games', 'include', 'lib', 'sbin', 'share', 'share/man', 'src'];

/** Alternatives that packages of the base system register in their scripts: name, link, target and priority, then the links that go along with it. */
const ALTERNATIVES: readonly {
  name: string;
  link: string;
  target: string;
  priority: number;
  also: readonly (readonly [string, string, string])[];
}[] = [
  {
    name: 'awk',
    link: '/usr/bin/awk',
    target: '/usr/bin/mawk',
    priority: 5,
    also: [
      ['awk.1.gz', '/usr/share/man/man1/awk.1.gz', '/usr/share/man/man1/mawk.1.gz'],
      ['nawk', '/usr/bin/nawk', '/usr/bin/mawk'],
      ['nawk.1.gz', '/usr/share/man/man1/nawk.1.gz', '/usr/share/man/man1/mawk.1.gz'],
    ],
  },
  {
    name: 'pager',
    link: '/usr/bin/pager',
    target: '/bin/more',
    priority: 50,
    also: [['pager.1.gz', '/usr/share/man/man1/pager.1.gz', '/usr/share/man/man1/more.1.gz']],
  },
  {
    name: 'rmt',
    link: '/usr/sbin/rmt',
    target: '/usr/sbin/rmt-tar',
    priority: 50,
    also: [['rmt.8.gz', '/usr/share/man/man8/rmt.8.gz', '/usr/share/man/man8/rmt-tar.8.gz']],
  },
  {
    name: 'which',
    link: '/usr/bin/which',
    target: '/usr/bin/which.debianutils',
    priority: 0,
    also: [['which.1.gz', '/usr/share/man/man1/which.1.gz', '/usr/share/man/man1/which.debianutils.1.gz']],
  },
];

/**
 * Makes what the scripts of the base system's packages would have made, as far as it is fixed: accounts from base-passwd's masters, the files that base-files keeps as templates, PAM's common files, alternatives, the
 * certificate bundle. What is there stays. Not made: the dynamic linker's cache (it does without), debconf's database, links that enable services.
 */
export async function writeWithoutScripts(draft: Draft, o: { lock: Lock } & Wait): Promise<void> {
  const mtime = o.lock.epoch;
  const reader = new FileTreeContents(treeOf(draft), [...draft.entries.values()]);
  const read = async (path: string): Promise<string | undefined> => {
    const content = await reader.read(path, o);
    return content && Buffer.from(await collect(content)).toString('latin1');
  };
  const put = (path: string, content: string, options: { mode?: number; gid?: number } = {}): void => {
    if (!draft.entries.has(path)) putFile(draft, path, { ...options, content: Buffer.from(content, 'latin1'), mtime });
  };
  const link = (path: string, target: string): void => {
    if (!draft.entries.has(path)) putSymlink(draft, path, { target, mtime });
  };
  await accounts(read, put, o.lock);
  for (const [from, to] of [
    ['base-files/dot.profile', 'root/.profile'],
    ['base-files/dot.bashrc', 'root/.bashrc'],
    ['base-files/profile', 'etc/profile'],
    ['base-files/motd', 'etc/motd'],
    ['base-files/info.dir', 'usr/share/info/dir'],
    ['libc-bin/nsswitch.conf', 'etc/nsswitch.conf'],
    ['base-files/nsswitch.conf', 'etc/nsswitch.conf'],
  ] as const) {
    const content = await read(`usr/share/${from}`);
    if (content !== undefined) put(to, content);
  }
  for (const folder of FOLDERS) putDirectory(draft, folder, { mtime });
  for (const folder of LOCAL) putDirectory(draft, `usr/local/${folder}`, { mtime });
  link('usr/local/man', 'share/man');
  putDirectory(draft, 'var/mail', { mode: 0o2775, gid: MAIL, mtime });
  link('var/spool/mail', '../mail');
  putDirectory(draft, 'run/lock', { mode: 0o1777, mtime });
  for (const [path, target] of [
    ['var/run', '/run'],
    ['var/lock', '/run/lock'],
  ] as const)
    if (draft.entries.get(path)?.type !== 'symlink') putSymlink(draft, path, { target, mtime });
  for (const path of ['etc/environment', 'etc/subuid', 'etc/subgid', 'var/log/faillog']) put(path, '');
  put('etc/security/opasswd', '', { mode: 0o600 });
  put('var/log/btmp', '', { mode: 0o660, gid: UTMP });
  for (const path of ['var/log/lastlog', 'var/log/wtmp']) put(path, '', { mode: 0o664, gid: UTMP });
  put('etc/timezone', 'Etc/UTC\n');
  if (draft.entries.has('usr/share/zoneinfo/Etc/UTC')) link('etc/localtime', '/usr/share/zoneinfo/Etc/UTC');
  link('etc/dpkg/origins/default', 'debian');
  const binaries = draft.entries.get('bin')?.type === 'symlink' ? 'usr/bin' : 'bin';
  if (draft.entries.has(`${binaries}/dash`)) link(`${binaries}/sh`, 'dash');
  const shells = ['sh', 'bash', 'rbash', 'dash'].filter((name) => draft.entries.has(`${binaries}/${name}`));
  const folders = binaries === 'bin' ? ['/bin'] : ['/bin', '/usr/bin'];
  put(
    'etc/shells',
    ['# /etc/shells: valid login shells', ...folders.flatMap((at) => shells.map((name) => `${at}/${name}`)), ''].join(
      '\n',
    ),
  );
  for (const kind of ['account', 'auth', 'password', 'session', 'session-noninteractive'] as const) {
    const template = await read(`usr/share/pam/common-${kind}`);
    if (template !== undefined) put(`etc/pam.d/common-${kind}`, pamFile(template));
  }
  alternatives(draft, { put, link, merged: binaries === 'usr/bin' });
  await certificates(draft, read, put);
}

type Read = (path: string) => Promise<string | undefined>;
type Put = (path: string, content: string, options?: { mode?: number; gid?: number }) => void;

/** The masters have "*" for the password; with shadow passwords that goes to the shadow files. */
async function accounts(read: Read, put: Put, lock: Lock): Promise<void> {
  const day = Math.floor(lock.epoch / 86_400);
  const passwd = lines(await read('usr/share/base-passwd/passwd.master'));
  const group = lines(await read('usr/share/base-passwd/group.master'));
  const hasApt = passwd.some((line) => line.startsWith('_apt:'));
  if (!hasApt && lock.packages.some(({ name }) => name === 'apt'))
    passwd.push('_apt:*:100:65534::/nonexistent:/usr/sbin/nologin');
  const shadowed = (line: string): string => line.replace(/^([^:]+):[^:]*:/, '$1:x:');
  const name = (line: string): string => line.slice(0, line.indexOf(':'));
  if (passwd.length > 0) {
    put('etc/passwd', text(passwd.map(shadowed)));
    put('etc/shadow', text(passwd.map((line) => `${name(line)}:*:${day}:0:99999:7:::`)), { mode: 0o640, gid: SHADOW });
  }
  if (group.length > 0) {
    put('etc/group', text(group.map(shadowed)));
    put('etc/gshadow', text(group.map((line) => `${name(line)}:*::`)), { mode: 0o640, gid: SHADOW });
  }
}

/** What pam-auth-update makes of the templates where only pam_unix is there. */
function pamFile(template: string): string {
  return template
    .replace('$auth_primary', 'auth\t[success=1 default=ignore]\tpam_unix.so nullok')
    .replace('$account_primary', 'account\t[success=1 new_authtok_reqd=done default=ignore]\tpam_unix.so ')
    .replace('$password_primary', 'password\t[success=1 default=ignore]\tpam_unix.so obscure yescrypt')
    .replaceAll(/\$session(?:_nonint)?_primary/g, 'session\t[default=1]\t\t\tpam_permit.so')
    .replaceAll(/\$session(?:_nonint)?_additional/g, 'session\trequired\tpam_unix.so ')
    .replaceAll(/^\$(?:auth|account|password)_additional\n/gm, '');
}

function alternatives(
  draft: Draft,
  o: { put: Put; link: (path: string, target: string) => void; merged: boolean },
): void {
  const at = (path: string): string =>
    o.merged ? path.slice(1).replace(/^(bin|sbin|lib)\//, 'usr/$1/') : path.slice(1);
  for (const { name, link, target, priority, also } of ALTERNATIVES) {
    if (!draft.entries.has(at(target))) continue;
    o.link(at(link), `/etc/alternatives/${name}`);
    o.link(`etc/alternatives/${name}`, target);
    for (const [slave, path, to] of also) {
      if (!draft.entries.has(at(to))) continue;
      o.link(at(path), `/etc/alternatives/${slave}`);
      o.link(`etc/alternatives/${slave}`, to);
    }
    const slaves = also.flatMap(([slave, path]) => [slave, path]);
    const targets = also.map(([, , to]) => to);
    o.put(
      `var/lib/dpkg/alternatives/${name}`,
      text(['auto', link, ...slaves, '', target, String(priority), ...targets, '']),
    );
  }
}

/** What update-ca-certificates makes: all certificates of the package, in one file. */
async function certificates(draft: Draft, read: Read, put: Put): Promise<void> {
  const files = [...draft.entries.keys()].filter((path) => /^usr\/share\/ca-certificates\/.+\.crt$/.test(path)).sort();
  if (files.length === 0) return;
  const contents: string[] = [];
  for (const file of files) contents.push(((await read(file)) ?? '').trimEnd());
  put('etc/ssl/certs/ca-certificates.crt', text(contents));
  put('etc/ca-certificates.conf', text(files.map((file) => file.slice('usr/share/ca-certificates/'.length))));
}

function lines(content: string | undefined): string[] {
  return (content ?? '').split('\n').filter((line) => line !== '');
}

function text(all: readonly string[]): string {
  return all.map((line) => `${line}\n`).join('');
}
