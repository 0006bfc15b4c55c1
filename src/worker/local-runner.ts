import { canonicalJson } from '../base/index.ts';
import { digestOf } from '../blob/index.ts';
import type { LocalSource } from '../graph/index.ts';
import type { CacheKey, StepContext } from '../solve/index.ts';
import type { Ref } from './ref.ts';
import type { Session } from './session.ts';

/** Files of the asking side: walked when something asks for them, never kept; what reads them goes by their content. */
export const localRunner = {
  async cacheKey(source: LocalSource, { host }: StepContext<Session>): Promise<CacheKey> {
    const digest = digestOf(canonicalJson({ local: source as never, session: host.id }));
    return { digest, inputs: [], parts: [], volatile: true, unrecorded: true };
  },

  async run(source: LocalSource, context: StepContext<Session>): Promise<readonly Ref[]> {
    const { include, exclude, follow, name } = source;
    const tree = await context.host.host.files(name).tree({ include, exclude, follow }, { signal: context.signal });
    const entries = await tree.entries({ signal: context.signal });
    let bytes = tree.travelled ?? 0;
    if (tree.travelled === undefined) for (const entry of entries) bytes += entry.size;
    context.progress({ item: `transferring ${name}:`, current: bytes, unit: 'bytes', done: true });
    return [{ kind: 'files', tree }];
  },
};
