import { memoryTree, type FileTree } from '../../../tree/index.ts';
import { encodeModuleDescriptor } from '../model/index.ts';
import type { ModuleDescriptor } from '../model/types.ts';
import type { ProjectModule } from './project.ts';

/** The buildpack that a script of project.toml is: its descriptor, and its files at the root of a tree. It is for any target and always takes part (project-descriptor.md, script). Undefined for one that is no script. */
export function inlineModule(
  entry: ProjectModule,
): { readonly descriptor: ModuleDescriptor; readonly tree: FileTree } | undefined {
  const { id, version = '0.0.0', script } = entry;
  if (script === undefined || id === undefined) return undefined;
  const descriptor: ModuleDescriptor = {
    kind: 'buildpack',
    id,
    version,
    api: script.api,
    keywords: [],
    licenses: [],
    clearEnv: false,
    sbomFormats: [],
    execEnv: [],
    order: [],
    targets: [],
    stacks: [{ id: '*', mixins: [] }],
    metadata: {},
  };
  const program = (body: string): { content: string; mode: number } => ({
    content: `#!${script.shell}\n\n${body}\n`,
    mode: 0o755,
  });
  const tree = memoryTree({
    'bin/': '',
    'bin/build': program(script.inline),
    'bin/detect': program('exit 0'),
    'buildpack.toml': encodeModuleDescriptor(descriptor),
  });
  return { descriptor, tree };
}
