import type { ModuleKind, Order, RunImage, SystemBuildpacks, Target } from '../model/types.ts';
import { strictEntry, strictOrder, strictTargets } from './config-entries.ts';
import { StrictTable } from './strict-toml.ts';

/** A module that a builder is to have: where it comes from, and what it must be. */
export interface BuilderModule {
  readonly kind: ModuleKind;
  /** A locator; paths are relative to the file. */
  readonly uri: string;
  readonly id?: string | undefined;
  readonly version?: string | undefined;
}

/** builder.toml (pack builder/config_reader.go). */
export interface BuilderConfig {
  readonly description: string;
  readonly modules: readonly BuilderModule[];
  readonly order: Order;
  readonly orderExtensions: Order;
  readonly system: SystemBuildpacks;
  /** Set where the file asks for stacks. */
  readonly stackId?: string | undefined;
  readonly buildImage: string;
  /** At least one. */
  readonly runImages: readonly RunImage[];
  readonly lifecycle: { readonly uri?: string | undefined; readonly version?: string | undefined };
  /** Files of `/cnb/build-config/env`, by name: `NAME.append`, `NAME.delim`, `NAME`. */
  readonly buildEnv: ReadonlyMap<string, string>;
  readonly targets: readonly Target[];
}

/**
 * Reads builder.toml. Throws `CNB_FILE_INVALID` with the place, also for a key that is not known; `INVALID_TOML`. `warn` is told of what is odd.
 */
export function parseBuilderConfig(text: string, o: { file: string; warn: (text: string) => void }): BuilderConfig {
  const root = StrictTable.read(text, o.file);
  const description = root.string('description') ?? '';
  const modules = [...builderModules(root, 'buildpack'), ...builderModules(root, 'extension')];
  const order = strictOrder(root, { key: 'order', kind: 'buildpack' });
  const orderExtensions = strictOrder(root, { key: 'order-extensions', kind: 'extension' });
  const stack = root.table('stack');
  const stackId = stack?.string('id');
  const stackBuild = stack?.string('build-image') ?? '';
  const stackRun = stack?.string('run-image') ?? '';
  const stackMirrors = stack?.strings('run-image-mirrors') ?? [];
  const build = root.table('build');
  const image = build?.string('image') ?? '';
  const buildEnv = build ? buildEnvironment(build, o) : new Map<string, string>();
  const listed = (root.table('run')?.tables('images') ?? []).map((one) => {
    const name = one.string('image') ?? '';
    if (name === '') throw one.invalid('image', 'a run image has no "image"');
    return { image: name, mirrors: one.strings('mirrors') };
  });
  const lifecycleTable = root.table('lifecycle');
  const lifecycle = { uri: lifecycleTable?.string('uri'), version: lifecycleTable?.string('version') };
  const targets = strictTargets(root);
  const system = root.table('system');
  const side = (name: string): SystemBuildpacks['pre'] =>
    (system?.table(name)?.tables('buildpacks') ?? []).map((entry) => strictEntry(entry, 'buildpack'));
  const systemBuildpacks = { pre: side('pre'), post: side('post') };
  root.end();
  if (lifecycle.uri !== undefined && lifecycle.version !== undefined)
    throw root.invalid('lifecycle', '[lifecycle] has both "uri" and "version"', 'Keep one of them.');
  if (image === '' && stackBuild === '')
    throw root.invalid('build', 'build.image is required', 'Write [build] with image = "…".');
  if (image !== '' && stackBuild !== '' && image !== stackBuild)
    throw root.invalid('stack', 'build.image and stack.build-image do not match', 'Keep build.image alone.');
  if (listed.length === 0 && (stackRun === '' || stackId === undefined || stackId === ''))
    throw root.invalid('run', 'run.images are required', 'Write [[run.images]] with image = "…".');
  if (listed.length > 0 && stackRun !== '' && listed[0]?.image !== stackRun)
    throw root.invalid('stack', 'run.images and stack.run-image do not match', 'Keep run.images alone.');
  if (order.length === 0) o.warn(`"${o.file}" has no order: nothing will be detected`);
  return {
    description,
    modules,
    order,
    orderExtensions,
    system: systemBuildpacks,
    stackId: stackId === '' ? undefined : stackId,
    buildImage: image === '' ? stackBuild : image,
    runImages: listed.length > 0 ? listed : [{ image: stackRun, mirrors: stackMirrors }],
    lifecycle,
    buildEnv,
    targets,
  };
}

function builderModules(root: StrictTable, kind: ModuleKind): readonly BuilderModule[] {
  return root.tables(`${kind}s`).map((one) => {
    const [uri, image] = [one.string('uri') ?? '', one.string('image') ?? ''];
    const [id, version] = [one.string('id'), one.string('version')];
    for (const key of ['name', 'description', 'homepage']) one.string(key);
    if (uri !== '' && image !== '')
      throw one.invalid('image', `a ${kind} has both "uri" and "image"`, 'Write uri = "docker://…" alone.');
    if (uri === '' && image === '') throw one.invalid('uri', `a ${kind} has no "uri"`);
    return { kind, uri: uri === '' ? `docker://${image}` : uri, id, version };
  });
}

const SUFFIXES = ['', 'default', 'override', 'append', 'prepend'];

/** `[[build.env]]` as the files that lifecycle reads: the name with its action, and the delimiter beside it (RFC 0109). */
function buildEnvironment(
  build: StrictTable,
  o: { file: string; warn: (text: string) => void },
): ReadonlyMap<string, string> {
  const files = new Map<string, string>();
  const put = (file: string, value: string): void => {
    const known = files.get(file);
    if (known !== undefined && known !== value)
      o.warn(`"${o.file}": [[build.env]] sets "${file}" twice: the last value is taken`);
    files.set(file, value);
  };
  for (const one of build.tables('env')) {
    const name = one.string('name') ?? '';
    if (!/^[A-Za-z_][\w.-]*$/.test(name)) throw one.invalid('name', `[[build.env]] has the name "${name}"`);
    const value = one.string('value') ?? '';
    const suffix = one.string('suffix') ?? '';
    const delim = one.string('delim') ?? '';
    one.strings('exec-env');
    if (!SUFFIXES.includes(suffix))
      throw one.invalid('suffix', `the suffix "${suffix}" is not known`, 'Use default, override, append or prepend.');
    if ((suffix === 'append' || suffix === 'prepend') && delim === '')
      throw one.invalid('suffix', `"${name}" is to be ${suffix}ed but has no "delim"`, 'Write delim = ":".');
    if (value === '') o.warn(`"${o.file}": [[build.env]] gives "${name}" no value`);
    put(suffix === '' ? name : `${name}.${suffix}`, value);
    if (delim !== '') put(`${name}.delim`, delim);
  }
  return files;
}
