import type { SourceOp } from '../graph/index.ts';
import type { Session } from '../worker/index.ts';
import type { BuildRequest } from './builder.ts';

/** What the request's policies make of each source; undefined without policies. BuildKit's words for sources are loaded when the first one is looked at. */
export function vetOf({ sourcePolicies: policies = [] }: BuildRequest): Session['vet'] {
  if (policies.every(({ rules }) => rules.length === 0)) return undefined;
  return async (op: SourceOp) => {
    const { policedSource } = await import('../wire/buildkit/index.ts');
    const source = policedSource(op.source, policies);
    return source === op.source ? op : { kind: 'source', source };
  };
}
