import type { Vertex } from '../../../graph/index.ts';
import { OpSchema, type Op } from '../../gen/buildkit/ops_pb.ts';
import { create } from '../../grpc/index.ts';
import { encodeExec } from './encode-exec.ts';
import { llbError } from './errors.ts';
import { toWirePlatform } from './wire-platform.ts';

/** One process step alone, to be told of: inputs are the vertices', by our digests. Its mounts are those of the op that BuildKit has as mounts, then the op's own files, then /dev/shm. */
export function encodeProcess({ op, inputs }: Vertex): Op {
  if (op.kind !== 'exec') throw llbError('LLB_INVALID', `write a process: the op is of kind "${op.kind}"`);
  let more = inputs.length;
  const next = (): number => more++;
  const { exec } = encodeExec(
    { ...op, capture: undefined },
    { numbers: inputs.map((_, index) => index), file: next, captureProgram: next, captured: next, folder: next },
  );
  return create(OpSchema, {
    inputs: inputs.map(({ vertex, output }) => ({ digest: vertex.digest, index: BigInt(output) })),
    op: { case: 'exec', value: exec },
    platform: toWirePlatform(op.platform),
  });
}
