import type { TreeView } from '../tree/index.ts';
import { workerError } from './errors.ts';

export interface StepUser {
  readonly uid: number;
  readonly gid: number;
  readonly additionalGids: readonly number[];
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

/**
 * The ids that `user[:group]` means in a root, by its passwd and group files. "" is 0:0. A number alone takes its group and supplementary groups from passwd where it is listed, else gid 0; an explicit group drops the
 * supplementary ones. Throws `STEP_USER_UNKNOWN` for a name that is not listed.
 */
export async function findUser(user: string, root: () => Promise<TreeView>): Promise<StepUser> {
  if (user === '' || user === '0:0') return ROOT;
  const [name = '', group] = splitOnce(user);
  const view = await root();
  const passwd = await entriesOf(view, '/etc/passwd', ([entry = '', , uid, gid]) => ({
    name: entry,
    uid: Number(uid),
    gid: Number(gid),
  }));
  const entry =
    passwd.find((line) => line.name === name) ?? passwd.find((line) => isNumber(name) && line.uid === Number(name));
  if (!entry && !isNumber(name)) throw unknown('user', name, 'passwd');
  const uid = entry?.uid ?? Number(name);
  const needsGroups = entry !== undefined || (group !== undefined && !isNumber(group));
  const groups = needsGroups ? await groupsOf(view) : [];
  if (group !== undefined) {
    const gid = groups.find((line) => line.name === group)?.gid ?? (isNumber(group) ? Number(group) : undefined);
    if (gid === undefined) throw unknown('group', group, 'group');
    return { uid, gid, additionalGids: [] };
  }
  if (!entry) return { uid, gid: 0, additionalGids: [] };
  const additionalGids = groups.filter((line) => line.members.includes(entry.name)).map((line) => line.gid);
  return { uid, gid: entry.gid, additionalGids: [...new Set(additionalGids)].sort((a, b) => a - b) };
}

async function groupsOf(view: TreeView): Promise<GroupEntry[]> {
  return entriesOf(view, '/etc/group', ([name = '', , gid, members = '']) => ({
    name,
    gid: Number(gid),
    members: members.split(',').filter((member) => member !== ''),
  }));
}

async function entriesOf<T extends PasswdEntry | GroupEntry>(
  view: TreeView,
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
    .filter((line) => Number.isInteger(line.gid));
}

function splitOnce(user: string): [string, string?] {
  const colon = user.indexOf(':');
  return colon < 0 ? [user] : [user.slice(0, colon), user.slice(colon + 1)];
}

function isNumber(text: string): boolean {
  return /^\d+$/.test(text);
}

function unknown(what: string, name: string, file: string): Error {
  return workerError('STEP_USER_UNKNOWN', `run as ${what} "${name}": no such ${what} in /etc/${file} of the image`, {
    remedy: `Add the ${what} in an earlier RUN, or name it by number.`,
  });
}
