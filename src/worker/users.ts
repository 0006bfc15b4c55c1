import type { Entry } from '../tree/index.ts';
import { workerError } from './errors.ts';

export interface StepUser {
  readonly uid: number;
  readonly gid: number;
  readonly additionalGids: readonly number[];
}

/** The files of a root that name its users. */
export interface UserFiles {
  stat(path: string): { readonly entry: Pick<Entry, 'type'> } | undefined;
  readFile(path: string, o: { readonly limit: number }): Promise<Uint8Array>;
}

interface PasswdEntry {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

interface GroupEntry {
  readonly name: string;
  readonly gid: number;
  readonly members: readonly string[];
}

const ROOT: StepUser = { uid: 0, gid: 0, additionalGids: [] };
const MAX = 1 << 20;

/** The largest id that a process can have; the next one means "no id" to the kernel. */
const MAX_ID = 2 ** 32 - 2;

/**
 * The ids that `user[:group]` means in a root, by its passwd and group files, as BuildKit finds them (executor/oci/user.go, moby/sys/user GetExecUser). "" is 0:0, two numbers are taken as they are. A number is always an id, also where it
 * is somebody's name. A user alone takes its group from passwd and supplementary ones from the group file, where it is listed; else gid 0. An explicit group drops the supplementary ones.
 * Throws `STEP_USER_UNKNOWN` for a name that is not listed and an id out of range.
 */
export async function findUser(user: string, root: () => Promise<UserFiles>): Promise<StepUser> {
  if (user === '') return ROOT;
  const [name, group = ''] = splitOnce(user);
  const uidArg = idOf(name, user);
  const gidArg = idOf(group, user);
  if (uidArg !== undefined && gidArg !== undefined) return { uid: uidArg, gid: gidArg, additionalGids: [] };
  const view = await root();
  const passwd = await entriesOf(view, '/etc/passwd', ([entry = '', , uid, gid]) => ({
    name: entry,
    uid: Number(uid),
    gid: Number(gid),
  }));
  const entry = passwd.find((line) =>
    name === '' || uidArg !== undefined ? line.uid === (uidArg ?? 0) : line.name === name,
  );
  if (!entry && name !== '' && uidArg === undefined) throw unknown('user', name, 'passwd');
  const uid = entry?.uid ?? uidArg ?? 0;
  if (group === '' && !entry) return { uid, gid: 0, additionalGids: [] };
  if (gidArg !== undefined) return { uid, gid: gidArg, additionalGids: [] };
  const groups = await groupsOf(view);
  if (group !== '') {
    const found = groups.find((line) => line.name === group);
    if (!found) throw unknown('group', group, 'group');
    return { uid, gid: found.gid, additionalGids: [] };
  }
  const { name: login, gid } = entry as PasswdEntry;
  const additionalGids = groups.filter((line) => line.members.includes(login)).map((line) => line.gid);
  return { uid, gid, additionalGids: [...new Set(additionalGids)].sort((a, b) => a - b) };
}

async function groupsOf(view: UserFiles): Promise<GroupEntry[]> {
  return entriesOf(view, '/etc/group', ([name = '', , gid, members = '']) => ({
    name,
    gid: Number(gid),
    members: members.split(',').filter((member) => member !== ''),
  }));
}

async function entriesOf<T extends PasswdEntry | GroupEntry>(
  view: UserFiles,
  path: string,
  read: (fields: string[]) => T,
): Promise<T[]> {
  const node = view.stat(path);
  if (node?.entry.type !== 'file') return [];
  const text = Buffer.from(await view.readFile(path, { limit: MAX })).toString('utf8');
  return text
    .split('\n')
    .filter((line) => line.includes(':') && !line.startsWith('#'))
    .map((line) => read(line.trim().split(':')))
    .filter((line) => Number.isInteger(line.gid) && !('uid' in line && !Number.isInteger(line.uid)));
}

function splitOnce(user: string): [string, string?] {
  const colon = user.indexOf(':');
  return colon < 0 ? [user] : [user.slice(0, colon), user.slice(colon + 1)];
}

/** The id that a number is; undefined for a name. */
function idOf(text: string, user: string): number | undefined {
  if (!/^[+-]?\d+$/.test(text)) return undefined;
  const id = Number(text);
  if (id >= 0 && id <= MAX_ID) return id;
  throw workerError('STEP_USER_UNKNOWN', `run as "${user}": ids are from 0 to ${MAX_ID}`, {
    remedy: 'Name a user of the image, or a smaller number.',
  });
}

function unknown(what: string, name: string, file: string): Error {
  return workerError('STEP_USER_UNKNOWN', `run as ${what} "${name}": no such ${what} in /etc/${file} of the image`, {
    remedy: `Add the ${what} in an earlier RUN, or name it by number.`,
  });
}
