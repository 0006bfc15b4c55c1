import { State, type FileAction } from '../../../graph/index.ts';
import { buildpackError } from '../errors.ts';
import type { BuildpackOptions } from './options.ts';

/** A tree with /platform: the user's variables as files, and places for the files of service bindings (platform.md, Environment). Throws `CNB_OPTION_INVALID`. */
export function platformTree(
  env: ReadonlyMap<string, string>,
  { bindings }: Pick<BuildpackOptions, 'bindings'>,
): State {
  const root = { user: 0, group: 0 };
  const folder = (path: string): FileAction => ({
    kind: 'mkdir',
    path,
    mode: 0o755,
    parents: true,
    owner: root,
    mtime: 0,
  });
  const file = (path: string, content: string): FileAction => ({
    kind: 'mkfile',
    path,
    mode: 0o644,
    content,
    owner: root,
    mtime: 0,
  });
  for (const name of env.keys())
    if (['', '.', '..'].includes(name) || /[/\0]/.test(name))
      throw buildpackError('CNB_OPTION_INVALID', `set variable "${name}": there can be no file of that name`, {
        remedy: 'Buildpacks find variables as files in /platform/env: use a name without "/".',
      });
  const actions = [
    folder('/platform/env'),
    ...[...env].map(([name, value]) => file(`/platform/env/${name}`, value)),
    ...[...bindings].flatMap(([name, files]) => [
      folder(`/platform/bindings/${name}`),
      ...files.map((path) => file(`/platform/bindings/${name}/${path}`, '')),
    ]),
  ];
  return State.files({ actions }, [], { name: '[internal] make /platform', internal: true });
}
