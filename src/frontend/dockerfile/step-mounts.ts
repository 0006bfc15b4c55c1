import type { OpMount, State } from '../../graph/index.ts';
import { cleanPath } from '../../tree/index.ts';
import { dockerfileError } from './errors.ts';
import { quote } from './go-text.ts';
import type { RunInstruction } from './instruction.ts';
import type { StageOutline } from './outline.ts';
import { readMount, type RunMount } from './mount.ts';
import { expandIn, folderOf, type StageState, type StepScope, type StepSource } from './stage-state.ts';
import type { Range } from './text.ts';

/** What RUN --mount comes to. */
export interface Mounts {
  /** Without the one at "/". */
  readonly mounts: readonly OpMount[];
  /** Inputs 1, 2, … of the exec op. */
  readonly inputs: readonly State[];
  /** Value of SSH_AUTH_SOCK: the first socket. */
  readonly agent: string | undefined;
  /** Variables that hold a secret. */
  readonly secretNames: readonly string[];
}

/** The mounts of a RUN (facts 1.7). Throws `DOCKERFILE_FLAG` without a place. */
export function mountsOf(stage: StageState, instruction: RunInstruction, scope: StepScope): Mounts {
  const mounts: OpMount[] = [];
  const inputs: State[] = [];
  let sockets = 0;
  for (const [index, flag] of instruction.mounts.entries()) {
    const mount = readMount(flag.written, (text) => expandIn(stage, scope, { instruction, text }).text);
    const { range } = instruction;
    if (mount.type === 'secret') {
      const made = secret(mount);
      mounts.push(made);
      note(scope.outline?.secrets, made, range);
    } else if (mount.type === 'ssh') {
      const made = agent(mount, sockets++);
      mounts.push(made);
      note(scope.outline?.agents, made, range);
    } else {
      const target = targetOf(stage, mount);
      const from = flag.from === '' && mount.type === 'cache' ? undefined : scope.mountSource(index);
      mounts.push(files(mount, { target, scope, input: (source) => inputOf(source, inputs), from }));
    }
  }
  const first = mounts.find((mount) => mount.type === 'ssh');
  const secretNames = mounts.flatMap((mount) =>
    mount.type === 'secret' && mount.env !== undefined ? [mount.env] : [],
  );
  return { mounts, inputs, agent: first?.target, secretNames };
}

function files(
  mount: RunMount,
  o: {
    readonly target: string;
    readonly scope: StepScope;
    readonly from: StepSource | undefined;
    readonly input: (source: StepSource) => number;
  },
): OpMount {
  const { target, from } = o;
  if (mount.type === 'tmpfs') return { type: 'tmpfs', target, size: mount.size || undefined };
  const path = cleanPath(`/${mount.source}`);
  from?.use(path);
  const source = path === '/' ? undefined : path;
  if (mount.type === 'bind' && from !== undefined)
    return { type: 'bind', target, input: o.input(from), source, readonly: mount.readonly };
  // Mode and owner are those of the cache's own folder; one that starts as a part of another tree has that part's.
  const { mode = 0o755, uid = 0, gid = 0 } = source === undefined ? mount : {};
  const { cacheNamespace: namespace } = o.scope.options;
  const name = mount.id === '' ? cleanPath(mount.target) : mount.id;
  return {
    type: 'cache',
    target,
    id: namespace === '' ? name : `${namespace}/${name}`,
    sharing: mount.sharing ?? 'shared',
    input: from === undefined || from.state.isScratch ? undefined : o.input(from),
    source,
    readonly: mount.readonly,
    mode,
    uid,
    gid,
  };
}

function inputOf(source: StepSource, inputs: State[]): number {
  const { state } = source;
  const known = inputs.findIndex(
    (other) => other.edge?.vertex.digest === state.edge?.vertex.digest && other.edge?.output === state.edge?.output,
  );
  return (known < 0 ? inputs.push(state) - 1 : known) + 1;
}

type Asking = Extract<OpMount, { readonly type: 'secret' | 'ssh' }>;

/** The first mount of a name counts. */
function note(demands: StageOutline['secrets'] | undefined, { id, required }: Asking, range: Range): void {
  if (demands?.has(id) === false) demands.set(id, { required, range });
}

function secret(mount: RunMount): Asking {
  const id = mount.source || mount.id || baseName(mount.target);
  const { env, mode = 0o400, uid = 0, gid = 0, required } = mount;
  const written = mount.target === '' ? undefined : cleanPath(`/${mount.target}`);
  const target = env === undefined ? (written ?? `/run/secrets/${baseName(id)}`) : written;
  return { type: 'secret', id, target, env: env === '' ? id : env, required, mode, uid, gid };
}

function agent(mount: RunMount, index: number): Asking {
  const { mode = 0o600, uid = 0, gid = 0, required } = mount;
  const target = mount.target === '' ? `/run/buildkit/ssh_agent.${index}` : cleanPath(`/${mount.target}`);
  return { type: 'ssh', id: mount.id || 'default', target, required, mode, uid, gid };
}

function targetOf(stage: StageState, mount: RunMount): string {
  const target = cleanPath(mount.target.startsWith('/') ? mount.target : `${folderOf(stage)}/${mount.target}`);
  if (target === '/')
    throw dockerfileError('DOCKERFILE_FLAG', `invalid mount target ${quote(mount.target || target)}`, {
      remedy: 'Give target= a folder below the root, as --mount=type=bind,target=/src.',
    });
  return target;
}

function baseName(path: string): string {
  const clean = cleanPath(path);
  return clean.slice(clean.lastIndexOf('/') + 1);
}
