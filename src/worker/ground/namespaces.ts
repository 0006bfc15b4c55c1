import { spawn, type ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import type { Duplex } from 'node:stream';
import { currentUser, findTool, hasErrno, messageOf, runTool, type Wait } from '../../base/index.ts';
import { groundError } from './errors.ts';

/** A range of ids: `count` of them from `outside` on, which are `inside` on in the namespace. */
export interface IdRange {
  readonly inside: number;
  readonly outside: number;
  readonly count: number;
}

/** Whose ids a keeper has. `none`: no user namespace (as root); `range`: this user's subordinate ids; `single`: its own alone, as root. */
export type IdMaps =
  | { readonly kind: 'none' }
  | { readonly kind: 'single' }
  | { readonly kind: 'range'; readonly uids: readonly IdRange[]; readonly gids: readonly IdRange[] };

/** The maps that /etc/subuid, /etc/subgid, newuidmap and newgidmap allow this user, or why there are none (subuid(5), newuidmap(1)). */
export function findIdMaps(): Extract<IdMaps, { kind: 'range' }> | { readonly reason: string } {
  const user = currentUser();
  if (user.name === undefined) return { reason: `there is no user with the id ${user.uid} in /etc/passwd` };
  for (const tool of ['newuidmap', 'newgidmap'])
    if (findTool(tool) === undefined) return { reason: `${tool} is not installed (package uidmap)` };
  const uids = subordinate('/etc/subuid', [user.name, `${user.uid}`]);
  const gids = subordinate('/etc/subgid', [user.name, `${user.uid}`]);
  for (const [file, ranges] of [
    ['/etc/subuid', uids],
    ['/etc/subgid', gids],
  ] as const)
    if (ranges.length === 0) return { reason: `${file} has no range for "${user.name}"` };
  return {
    kind: 'range',
    uids: [{ inside: 0, outside: user.uid, count: 1 }, ...uids],
    gids: [{ inside: 0, outside: user.gid, count: 1 }, ...gids],
  };
}

/** Ranges laid one after the other, from id 1 in the namespace on. */
function subordinate(file: string, names: readonly string[]): IdRange[] {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    if (hasErrno(error, 'ENOENT', 'EACCES')) return [];
    throw error;
  }
  const ranges: IdRange[] = [];
  let inside = 1;
  for (const line of text.split('\n')) {
    const [name = '', start = '', length = ''] = line.trim().split(':');
    const outside = Number(start);
    const count = Number(length);
    if (!names.includes(name) || !Number.isSafeInteger(outside) || !(count > 0)) continue;
    ranges.push({ inside, outside, count });
    inside += count;
  }
  return ranges;
}

export interface Started {
  readonly child: ChildProcess;
  /** To file descriptor 3 of the program. */
  readonly stream: Duplex;
  /** The end of what it said on stderr. */
  readonly said: () => string;
}

/**
 * Starts a program as root of namespaces of its own: mounts, ids as `maps` says, and processes where the machine lets one see them (/proc). When it ends, all that it started ends; it ends when this process does. Throws `KEEPER_FAILED`.
 */
export async function startInNamespaces(
  program: { readonly command: string; readonly args: readonly string[] },
  o: { readonly maps: IdMaps; readonly env: Readonly<Record<string, string>> } & Wait,
): Promise<Started> {
  const unshare = findTool('unshare');
  const sh = findTool('sh');
  if (unshare === undefined || sh === undefined)
    throw groundError('KEEPER_FAILED', 'start the keeper: unshare is not installed', {
      remedy: 'Install util-linux.',
    });
  const { maps } = o;
  const user = maps.kind === 'none' ? [] : maps.kind === 'single' ? ['--user', '--map-root-user'] : ['--user'];
  const script = maps.kind === 'range' ? `echo && read go <&3 || exit 1\n${INNER}` : INNER;
  const inner = [sh, '-c', script, 'sh', unshare];
  const first = user.length > 0 ? [unshare, ...user, '--', ...inner] : inner;
  const command = [...first, program.command, ...program.args];
  const child = spawn(command[0]!, command.slice(1), {
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
    env: o.env,
    detached: true,
  });
  let text = '';
  child.stderr?.on('data', (chunk: Buffer) => {
    text = (text + chunk.toString()).slice(-4000);
  });
  const said = (): string => text.trim().split('\n').slice(-5).join('\n');
  const stream = child.stdio[3] as unknown as Duplex;
  stream.on('error', () => undefined);
  try {
    if (maps.kind === 'range') await mapIds(child, { maps, signal: o.signal });
    child.stdout?.resume();
    return { child, stream, said };
  } catch (error) {
    child.kill('SIGKILL');
    throw groundError('KEEPER_FAILED', `start the keeper: ${said() || messageOf(error)}`, { cause: error });
  }
}

/**
 * A PID namespace only where its own /proc can be mounted (not in most containers); without one the keeper's end is by its parent-death signal. Its first process is a shell, which reaps what is left to it as Node would not: a namespace inside
 * does not end before all that was in it is reaped.
 */
const INNER = [
  'unshare=$1; shift',
  'if "$unshare" --mount --pid --fork --mount-proc true 2>/dev/null',
  'then exec "$unshare" --mount --propagation private --pid --fork --kill-child --mount-proc sh -c \'"$@"; exit $?\' sh "$@"',
  'else exec "$unshare" --mount --propagation private "$@"; fi',
].join('\n');

/** Waits until the shell says that it is in its namespace, writes its maps, and lets it go on: as root of it, which it becomes by the next exec. */
async function mapIds(
  child: ChildProcess,
  o: { readonly maps: Extract<IdMaps, { kind: 'range' }> } & Wait,
): Promise<void> {
  const ready = Promise.withResolvers<void>();
  child.stdout?.once('data', () => ready.resolve());
  child.once('error', ready.reject);
  child.once('exit', (code) => ready.reject(new Error(`unshare ended with ${code}`)));
  await ready.promise;
  const args = (ranges: readonly IdRange[]): string[] => [
    `${child.pid}`,
    ...ranges.flatMap(({ inside, outside, count }) => [`${inside}`, `${outside}`, `${count}`]),
  ];
  await runTool(findTool('newuidmap') ?? 'newuidmap', args(o.maps.uids), { signal: o.signal });
  await runTool(findTool('newgidmap') ?? 'newgidmap', args(o.maps.gids), { signal: o.signal });
  (child.stdio[3] as unknown as Duplex).write('\n');
}
