import { State } from '../../../graph/index.ts';
import type { Builder } from './builder.ts';
import { ownerOf } from './steps.ts';

/** The application as buildpacks find it: its files under `folder`, owned by the builder's user. */
export function appTree(builder: Pick<Builder, 'uid' | 'gid'>, o: { folder: string; files: State }): State {
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
        },
      ],
    },
    [o.files],
    { name: `[app] copy the source to ${o.folder}`, group: 'app' },
  );
}
