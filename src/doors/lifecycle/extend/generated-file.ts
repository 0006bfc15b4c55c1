import { statSync } from 'node:fs';
import { escapeId } from '../../../frontend/buildpack/index.ts';
import type { Inputs } from '../inputs.ts';

export type DockerfileKind = 'build' | 'run';

/** Where a Dockerfile that an extension generated lies, and what belongs to it (platform.md, Generated): since 0.13 all of an extension in one folder. */
export function generatedFile(
  id: string,
  kind: DockerfileKind,
  inputs: Inputs,
): { readonly folder: string; readonly path: string } {
  const generated = inputs.path('generated');
  const own = escapeId(id);
  if (inputs.since('0.13')) {
    const folder = `${generated}/${own}`;
    return { folder, path: `${folder}/${kind}.Dockerfile` };
  }
  const folder = `${generated}/${kind}/${own}`;
  return { folder, path: `${folder}/Dockerfile` };
}

/** The build context: that of the kind, else the shared one, else the application. */
export function contextOf(id: string, kind: DockerfileKind, inputs: Inputs): string {
  const { folder } = generatedFile(id, kind, inputs);
  const names = inputs.since('0.13') ? [`context.${kind}`, 'context'] : [];
  const own = names
    .map((name) => `${folder}/${name}`)
    .find((path) => statSync(path, { throwIfNoEntry: false })?.isDirectory());
  return own ?? inputs.path('app');
}
