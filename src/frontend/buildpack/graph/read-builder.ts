import type { Wait } from '../../../base/index.ts';
import { buildpackError } from '../errors.ts';
import {
  moduleKey,
  parseModuleDescriptor,
  parseOrder,
  parseRunToml,
  parseStackToml,
  parseSystem,
} from '../model/index.ts';
import type { Files, ModuleDescriptor, ModuleKind, Order, RunImage, SystemBuildpacks } from '../model/types.ts';

export interface BuilderFiles {
  readonly order: Order;
  readonly orderExtensions: Order;
  readonly system: SystemBuildpacks;
  readonly runImages: readonly RunImage[];
  readonly modules: ReadonlyMap<string, ModuleDescriptor>;
}

/** What the files under /cnb of a builder say (platform.md, Data Format). Throws `CNB_BUILDER_INVALID` where there is no order. */
export async function readBuilder(files: Files, name: string, w: Wait = {}): Promise<BuilderFiles> {
  const text = async (path: string): Promise<string | undefined> => {
    const bytes = await files.read(path, w);
    return bytes && Buffer.from(bytes).toString();
  };
  const [order, system, run, stack] = await Promise.all(
    ['/cnb/order.toml', '/cnb/system.toml', '/cnb/run.toml', '/cnb/stack.toml'].map(text),
  );
  if (order === undefined)
    throw buildpackError('CNB_BUILDER_INVALID', `use builder "${name}": there is no /cnb/order.toml in it`, {
      remedy: 'Name an image that was made as a builder ("strake builder create").',
    });
  const orders = parseOrder(order, `${name}:/cnb/order.toml`);
  const legacy = stack === undefined ? undefined : parseStackToml(stack, `${name}:/cnb/stack.toml`);
  return {
    order: orders.order,
    orderExtensions: orders.extensions,
    system: system === undefined ? { pre: [], post: [] } : parseSystem(system, `${name}:/cnb/system.toml`),
    runImages: run === undefined ? (legacy ? [legacy] : []) : parseRunToml(run, `${name}:/cnb/run.toml`),
    modules: await readModules(files, name, w),
  };
}

/** All modules of a tree that has them as builders and buildpackages do (distribution.md), by `moduleKey`. */
export async function readModules(
  files: Files,
  name: string,
  w: Wait = {},
): Promise<ReadonlyMap<string, ModuleDescriptor>> {
  const folders: { readonly kind: ModuleKind; readonly path: string }[] = [];
  for (const kind of ['buildpack', 'extension'] as const)
    for (const id of await files.list(`/cnb/${kind}s`, w))
      for (const version of await files.list(`/${id.path}`, w))
        if (version.type === 'directory') folders.push({ kind, path: `/${version.path}` });
  const found = await Promise.all(
    folders.map(async ({ kind, path }) => {
      const file = `${path}/${kind}.toml`;
      const bytes = await files.read(file, w);
      return bytes && parseModuleDescriptor(Buffer.from(bytes).toString(), { kind, file: `${name}:${file}` });
    }),
  );
  return new Map(found.flatMap((module) => (module ? [[moduleKey(module), module] as const] : [])));
}
