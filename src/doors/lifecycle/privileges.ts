import { lchownSync, lstatSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { lifecycleError } from './errors.ts';

/** Buildpacks are never run by root (platform.md, detector, builder). Throws `LIFECYCLE_ROOT`. */
export function refuseRoot(phase: string): void {
  if (process.getuid!() !== 0) return;
  throw lifecycleError('LIFECYCLE_ROOT', `${phase}: refusing to run as root`, {
    remedy: 'Run it as the user of the builder image (CNB_USER_ID).',
  });
}

/** Gives folders to the user of the build where they are somebody else's. */
export function giveTo(paths: readonly string[], { uid, gid }: { uid: number; gid: number }): void {
  for (const path of paths) {
    if (path === '') continue;
    const stat = statSync(path, { throwIfNoEntry: false });
    if (!stat || (stat.uid === uid && (stat.mode & 0o200) !== 0) || (stat.gid === gid && (stat.mode & 0o020) !== 0))
      continue;
    chownAll(path, { uid, gid });
  }
}

/** Root becomes the user of the build, for good; others stay who they are. Throws `LIFECYCLE_ROOT` where that user is root. */
export function becomeUser({ uid, gid }: { uid: number; gid: number }, o: { runsBuildpacks?: boolean } = {}): void {
  if (process.getuid!() !== 0) return;
  if (uid === 0) {
    if (o.runsBuildpacks === true)
      throw lifecycleError('LIFECYCLE_ROOT', 'create: refusing to run buildpacks as root', {
        remedy: 'Give another -uid, or set CNB_USER_ID.',
      });
    return;
  }
  process.setgroups!([gid]);
  process.setgid!(gid);
  process.setuid!(uid);
}

/** HOME and USER of a user, as /etc/passwd has them. */
export function variablesOf(uid: number, passwd = readPasswd()): Readonly<Record<string, string>> {
  for (const line of passwd.split('\n')) {
    const [name = '', , id, , , home = ''] = line.split(':');
    if (id === String(uid)) return { HOME: home, USER: name };
  }
  return {};
}

function readPasswd(): string {
  try {
    return readFileSync('/etc/passwd', 'utf8');
  } catch {
    return '';
  }
}

function chownAll(path: string, owner: { uid: number; gid: number }): void {
  lchownSync(path, owner.uid, owner.gid);
  if (!lstatSync(path).isDirectory()) return;
  for (const name of readdirSync(path)) chownAll(`${path}/${name}`, owner);
}
