import type { ExecOp, OpMount } from '../graph/index.ts';
import { State } from '../graph/index.ts';
import type { FailedProcess } from '../frontend/index.ts';
import { encodeProcess } from '../wire/buildkit/index.ts';
import { OpSchema } from '../wire/gen/buildkit/ops_pb.ts';
import { toJson, type StatusDetail } from '../wire/grpc/index.ts';
import { detailOf } from './failure.ts';
import type { Held, Steering } from './steering.ts';

/**
 * Details by which a client may look at a failed process step, as BuildKit gives them (solver/errdefs): the op, and for each of its mounts a ref of what it began with and one of what it left. They are good for NewContainer until the build ends.
 */
export function failedDetails(steering: Steering, error: unknown): readonly StatusDetail[] {
  const failed = steering.failed(error);
  if (!failed || failed.vertex.op.kind !== 'exec') return [];
  const { op } = failed.vertex;
  const wire = encodeProcess(failed.vertex);
  const held = heldOf(op, failed);
  const idOf = (one: Held | undefined): string => (one ? steering.hold(one) : '');
  const before = held.map(({ input }) => idOf(input));
  const after = held.map(({ input, left }, index) => (left === input ? (before[index] ?? '') : idOf(left)));
  const [digest = failed.vertex.digest] = steering.wireOf(failed.vertex.digest);
  return [
    detailOf('errdefs.Vertex', { digest }),
    detailOf('errdefs.Solve', {
      inputIDs: before,
      mountIDs: after,
      op: toJson(OpSchema, wire, { enumAsInteger: true }),
    }),
  ];
}

interface HeldMount {
  readonly input?: Held | undefined;
  readonly left?: Held | undefined;
}

/** In the order of the mounts of the op as it is told (`encodeProcess`). */
function heldOf(op: ExecOp, failed: FailedProcess): readonly HeldMount[] {
  const same = (held: Held | undefined): HeldMount => ({ input: held, left: held });
  const state = new State({ vertex: failed.vertex, output: 0 });
  const input = (number: number): Held | undefined => {
    const ref = failed.inputs[number];
    const edge = failed.vertex.inputs[number];
    return ref && edge && { state: new State(edge), ref: async () => ref };
  };
  const mounts = op.mounts.flatMap((mount: OpMount): HeldMount[] => {
    if (mount.type === 'bind' && mount.target === '/')
      return [{ input: input(mount.input), left: { state, ref: (w) => failed.root(w) } }];
    if (mount.type === 'bind') return [same(input(mount.input))];
    if (mount.type === 'secret' && mount.target === undefined) return [];
    if (mount.type !== 'cache') return [{}];
    if (mount.input !== undefined) return [same(input(mount.input))];
    const { mode, uid, gid } = mount;
    return [mode === 0o755 && uid === 0 && gid === 0 ? {} : same({ state, folder: { mode, uid, gid } })];
  });
  const files = (op.files ?? []).map((_, index) => same({ state, ref: (w) => failed.file(index, w) }));
  return [...mounts, ...files, ...(op.shmSize === undefined ? [] : [{}])];
}
