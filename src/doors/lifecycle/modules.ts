import {
  escapeId,
  parseModuleDescriptor,
  type DetectModule,
  type ModuleDescriptor,
  type ModuleId,
} from '../../frontend/buildpack/index.ts';
import { diskFiles, readText } from './disk-files.ts';
import type { Inputs } from './inputs.ts';

/** The folder of a module in the builder (platform.md, Buildpacks Directory Layout). */
export function moduleFolder({ kind, id, version }: ModuleId, inputs: Inputs): string {
  return `${inputs.path(kind === 'buildpack' ? 'buildpacks' : 'extensions')}/${escapeId(id)}/${version}`;
}

/** Undefined where there is none. Throws what reading its descriptor can bring. */
export function readModule(module: ModuleId, inputs: Inputs): ModuleDescriptor | undefined {
  const file = `${moduleFolder(module, inputs)}/${module.kind}.toml`;
  const text = readText(file);
  return text === undefined ? undefined : parseModuleDescriptor(text, { kind: module.kind, file });
}

/** A module as detection sees it. */
export async function findModule(module: ModuleId, inputs: Inputs): Promise<DetectModule | undefined> {
  const descriptor = readModule(module, inputs);
  if (!descriptor) return undefined;
  const folder = moduleFolder(module, inputs);
  const programs = await diskFiles.list(`${folder}/bin`);
  return {
    descriptor,
    programs: programs.map(({ path }) => path.slice(path.lastIndexOf('/') + 1)),
    plan: readText(`${folder}/detect/plan.toml`),
  };
}
