import { spawnSync } from 'node:child_process';
import { chownSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** An ordinary user with a subordinate range of ids, made for tests. */
export interface TestUser extends Disposable {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  /** A folder of its own, removed at the end of the scope. */
  readonly home: string;
  /** What a command is started by to run as this user. */
  readonly prefix: readonly string[];
}

const NAME = 'strake-e2e';

/** Why there can be no such user here, or undefined. */
export function userLacking(): string | undefined {
  if (process.getuid?.() !== 0) return 'only root can become another user';
  const missing = ['useradd', 'newuidmap', 'setpriv'].filter(
    (tool) => spawnSync('sh', ['-c', `command -v ${tool}`], { env: { PATH } }).status !== 0,
  );
  return missing.length === 0 ? undefined : `not installed: ${missing.join(', ')}`;
}

const PATH = '/usr/sbin:/usr/bin:/sbin:/bin';

/** The user (made once on a machine) with a new home folder. */
export function testUser(): TestUser {
  if (idsOf(NAME) === undefined) {
    const made = spawnSync('useradd', ['--no-create-home', '--shell', '/bin/sh', NAME], {
      env: { PATH },
      encoding: 'utf8',
    });
    if (made.status !== 0 && idsOf(NAME) === undefined) throw new Error(`useradd ${NAME}: ${made.stderr}`);
  }
  const ids = idsOf(NAME);
  if (!ids) throw new Error(`no user ${NAME}`);
  const home = mkdtempSync(join(tmpdir(), 'strake-e2e-home-'));
  chownSync(home, ids.uid, ids.gid);
  return {
    name: NAME,
    ...ids,
    home,
    prefix: [
      'setpriv',
      `--reuid=${ids.uid}`,
      `--regid=${ids.gid}`,
      '--clear-groups',
      '--inh-caps=-all',
      '--bounding-set=+all',
    ],
    [Symbol.dispose]: () => {
      // Files in a rootless store belong to subordinate ids.
      rmSync(home, { recursive: true, force: true });
    },
  };
}

/** An ordinary user whom no file knows, and who so has one id only. */
export function loneUser(): TestUser {
  const uid = 54_321;
  const home = mkdtempSync(join(tmpdir(), 'strake-e2e-home-'));
  chownSync(home, uid, uid);
  return {
    name: String(uid),
    uid,
    gid: uid,
    home,
    prefix: ['setpriv', `--reuid=${uid}`, `--regid=${uid}`, '--clear-groups', '--inh-caps=-all', '--bounding-set=+all'],
    [Symbol.dispose]: () => rmSync(home, { recursive: true, force: true }),
  };
}

/** A folder below the user's home that belongs to it. */
export function userFolder(user: TestUser, name: string): string {
  const path = join(user.home, name);
  mkdirSync(path, { recursive: true });
  chownSync(path, user.uid, user.gid);
  return path;
}

function idsOf(name: string): { uid: number; gid: number } | undefined {
  const line = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .find((entry) => entry.startsWith(`${name}:`));
  const [, , uid, gid] = line?.split(':') ?? [];
  return uid === undefined || gid === undefined ? undefined : { uid: Number(uid), gid: Number(gid) };
}
