import type { Wait } from '../../../base/index.ts';
import { sourceState, State } from '../../../graph/index.ts';
import type { Builder } from './builder.ts';
import { ownerOf } from './steps.ts';

/** The application as buildpacks find it: the context under `folder`, owned by the builder's user. */
export function appTree(
  builder: Pick<Builder, 'uid' | 'gid'>,
  o: { folder: string; exclude: readonly string[] } & Wait,
): State {
  const context = sourceState(
    { type: 'local', name: 'context' },
    { name: '[internal] load build context', internal: true },
  );
  const owner = ownerOf(builder);
  return State.files(
    {
      actions: [
        { kind: 'mkdir', path: o.folder, mode: 0o755, parents: true, owner, mtime: 0 },
        {
          kind: 'copy',
          from: { input: 1 },
          sources: ['/'],
          destination: `${o.folder}/`,
          wildcard: false,
          parents: false,
          unpack: false,
          followDestination: true,
          owner,
          exclude: o.exclude.length > 0 ? o.exclude : undefined,
        },
      ],
    },
    [context],
    { name: `[app] copy the source to ${o.folder}`, group: 'app' },
  );
}
