import { closeSync, constants, openSync, readFileSync, readlinkSync, unlinkSync, writeSync } from 'node:fs';
import { isatty } from 'node:tty';
import { hasErrno, messageOf, sys } from '../base/index.ts';
import { secretsIn } from './secret-env.ts';

/** What a step becomes: a file that its starter reads and removes. */
export interface InPlaceStep {
  /** The pid of who waits for it. */
  readonly parent: number;
  readonly root: string;
  readonly cwd: string;
  readonly user: { readonly uid: number; readonly gid: number; readonly additionalGids: readonly number[] };
  /** By the kernel's numbers, -1 for none. */
  readonly limits: readonly { readonly resource: number; readonly soft: number; readonly hard: number }[];
  readonly args: readonly string[];
  /** But the secret ones, which come in the starter's own environment. */
  readonly env: readonly string[];
}

const SIGKILL = 9;
const STDERR = 2;
/** Where the step's own standard error comes in; descriptor 2 is for what goes wrong before it runs. */
const ASIDE = 3;
const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/**
 * Turns this process into a step: limits, root, folder, groups and user, then the program itself. To be called by the door for the hidden command `__step`, first thing in the process, with the path of an `InPlaceStep`. Exits with 127 when the
 * program is not found, 126 when it cannot be run, having said so on the step's standard error.
 */
export function stepMain(args: readonly string[]): void {
  try {
    start(args);
  } catch (error) {
    writeSync(STDERR, `${messageOf(error)}\n`);
    process.exit(125);
  }
}

function start([path = '']: readonly string[]): void {
  const written = JSON.parse(readFileSync(path, 'utf8')) as InPlaceStep;
  const step: InPlaceStep = { ...written, env: [...written.env, ...secretsIn(process.env)] };
  unlinkSync(path);
  for (const { resource, soft, hard } of step.limits)
    sys.setLimit(resource, { soft: BigInt(soft), hard: BigInt(hard) });
  takeTerminal();
  if (step.root !== '/') sys.chroot(step.root);
  process.chdir(step.cwd);
  process.umask(0o022);
  const { uid, gid, additionalGids } = step.user;
  process.setgroups?.([...additionalGids]);
  process.setgid?.(gid);
  process.setuid?.(uid);
  // After the change of user, which takes it away.
  sys.setParentDeathSignal(SIGKILL);
  if (process.ppid !== step.parent) process.exit(137);
  sys.resetSignals();
  for (const fd of [0, 1]) sys.keepAcrossExec(fd);
  sys.duplicate(ASIDE, STDERR);
  closeSync(ASIDE);
  const { code, detail } = become(step);
  writeSync(STDERR, `${step.args[0]}: ${detail}\n`);
  process.exit(code);
}

/** A terminal becomes that of this process's session when it is opened; its name is that of the root before any other. */
function takeTerminal(): void {
  if (!isatty(0)) return;
  closeSync(openSync(readlinkSync('/proc/self/fd/0'), constants.O_RDWR));
}

/** As execvpe(3); comes back with what is wrong. */
function become({ args, env }: InPlaceStep): { code: number; detail: string } {
  const [name = ''] = args;
  const path = env.findLast((entry) => entry.startsWith('PATH='))?.slice('PATH='.length) ?? DEFAULT_PATH;
  const places = name.includes('/')
    ? [name]
    : path.split(':').map((folder) => `${folder === '' ? '.' : folder}/${name}`);
  let found: { code: number; detail: string } = { code: 127, detail: 'not found' };
  for (const place of places) {
    try {
      sys.exec(place, { args, env });
    } catch (error) {
      if (hasErrno(error, 'ENOENT', 'ENOTDIR')) continue;
      if (hasErrno(error, 'EACCES')) found = { code: 126, detail: 'permission denied' };
      else return { code: 126, detail: hasErrno(error, 'ENOEXEC') ? 'exec format error' : messageOf(error) };
    }
  }
  return found;
}
