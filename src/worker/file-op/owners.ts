import { hasCode, type Wait } from '../../base/index.ts';
import type { Owner } from '../../graph/index.ts';
import type { TreeView } from '../../tree/index.ts';
import { fileOpError } from './errors.ts';

export interface Ids {
  readonly uid: number;
  readonly gid: number;
}

const MOST_BYTES = 10 << 20;

/**
 * The ids that an owner comes to in a step's inputs (BuildKit's readUser): a number is itself, for user and group; "root" is 0; another name is looked up in /etc/passwd, which gives its primary group too, and
 * /etc/group. A name that is not there changes nothing: 0, or for the group what the user gave. Undefined for no owner.
 */
export async function idsOf(owner: Owner | undefined, inputs: readonly TreeView[], w?: Wait): Promise<Ids | undefined> {
  if (!owner) return undefined;
  const at = (input = 0): TreeView => {
    const tree = inputs[input];
    if (!tree) throw new TypeError(`look up an owner: there is no input ${input}`);
    return tree;
  };
  const user = numberOf(owner.user);
  let ids: Ids = user === undefined ? { uid: 0, gid: 0 } : { uid: user, gid: user };
  if (user === undefined) {
    const fields = await lookUp(at(owner.userInput), '/etc/passwd', `${owner.user}`, w);
    if (fields) ids = { uid: integer(fields[2]), gid: integer(fields[3]) };
  }
  if (owner.group === undefined) return ids;
  const group = numberOf(owner.group);
  if (group !== undefined) return { ...ids, gid: group };
  const fields = await lookUp(at(owner.groupInput), '/etc/group', `${owner.group}`, w);
  return fields ? { ...ids, gid: integer(fields[2]) } : ids;
}

function numberOf(value: number | string): number | undefined {
  if (typeof value === 'number') return value;
  if (value === 'root') return 0;
  return /^[0-9]+$/.test(value) ? Number.parseInt(value, 10) : undefined;
}

/** The colon-separated fields of the first line about `name`. */
async function lookUp(tree: TreeView, path: string, name: string, w?: Wait): Promise<string[] | undefined> {
  const node = tree.stat(path);
  if (!node) return undefined;
  let text: string;
  try {
    text = Buffer.from(await tree.readFile(path, { limit: MOST_BYTES, ...w })).toString();
  } catch (error) {
    if (!hasCode(error, 'NOT_A_FILE', 'TOO_MANY_BYTES')) throw error;
    throw fileOpError('USER_FILE_INVALID', `look up "${name}" in "${path}": it is no file of at most 10 MiB`, {
      remedy: 'Use a number, or repair the file in the image.',
      cause: error,
    });
  }
  for (const line of text.split('\n')) {
    const fields = line.trim().split(':');
    if (fields[0] === name && fields.length > 2) return fields;
  }
  return undefined;
}

function integer(text: string | undefined): number {
  const value = Number(text);
  return Number.isSafeInteger(value) && value >= 0 ? value : 0;
}
