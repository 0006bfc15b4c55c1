import { canonicalJson } from '../base/index.ts';
import { digestOf, type Digest } from '../blob/index.ts';
import type { ExecOp } from '../graph/index.ts';
import type { StepContext } from '../solve/index.ts';
import type { Ref } from './ref.ts';
import type { Session } from './session.ts';

/**
 * By which a later build finds a step whose own build was killed: the same for the same op on the same trees. Undefined for a step that cannot go on alone, or whose result is not just its root: it speaks to an agent, has a cache to
 * itself, its output is a result, or it reads files of the asking side.
 */
export function survivalKey(op: ExecOp, inputs: readonly Ref[], context: StepContext<Session>): Digest | undefined {
  if (op.capture) return undefined;
  const stacks: Digest[][] = [];
  for (const ref of inputs) {
    if (ref.kind !== 'layers') return undefined;
    stacks.push(ref.layers.map(({ diffId }) => diffId));
  }
  for (const mount of op.mounts) {
    if (mount.type === 'ssh') return undefined;
    if (mount.type === 'cache' && mount.sharing !== 'shared') return undefined;
    if (mount.type === 'bind' && mount.output !== undefined && mount.target !== '/') return undefined;
  }
  return digestOf(canonicalJson({ vertex: context.vertex.digest, inputs: stacks }));
}
