import { hasCode, messageOf, type Wait } from '../../../base/index.ts';
import { State } from '../../../graph/index.ts';
import type { FrontendHost } from '../../index.ts';
import type { Detected } from '../detect/index.ts';
import {
  buildEnvironment,
  buildpackPlan,
  mergeMetadata,
  nextPlan,
  readBuilt,
  variablesAfter,
  type EnvironmentBase,
} from '../environment/index.ts';
import { buildpackError } from '../errors.ts';
import { encodeBuildMetadata, encodeBuildpackPlan, moduleFolder, moduleKey } from '../model/index.ts';
import type { BuiltBuildpack, ModuleDescriptor } from '../model/types.ts';
import { PLATFORM_API, type Finished } from './export-app.ts';
import { filesOf } from './ref-files.ts';
import { restoreLayers, type RestoreFrom } from './restore.ts';
import { BUILD_PLAN, buildStep, emptyFolder, layersFolder, ownerOf, type StepSetting } from './steps.ts';

/** The folder of layers, as buildpacks and the specification call it. */
const LAYERS = '/layers';

interface Done {
  readonly built: BuiltBuildpack;
  /** The tree with the buildpack's layers. */
  readonly own: State;
  readonly app: State;
}

/** Every `bin/build` of the group, one after the other, each on what those before it left (platform.md, builder). Throws `CNB_BUILD_FAILED`, and the errors of files that buildpacks write. */
export async function buildGroup(
  host: FrontendHost,
  o: StepSetting &
    RestoreFrom & { readonly environment: EnvironmentBase; readonly app: State; readonly detected: Detected } & Wait,
): Promise<Pick<Finished, 'built' | 'metadata' | 'trees'>> {
  const { builder, options, detected } = o;
  const { group } = detected;
  // Not spread further: a layer's tree is made once.
  const folders = new Map(await restoreLayers(host, group, o));
  const built: BuiltBuildpack[] = [];
  let { app } = o;
  let { plan } = detected;
  let { variables } = o.environment;
  for (const element of group) {
    const module = builder.modules.get(moduleKey(element));
    const own = folders.get(element.id);
    if (!module || !own) throw new TypeError(`build with ${element.id}: it is not in the builder`);
    const wanted = buildpackPlan(plan, element);
    const env = buildEnvironment(
      { ...o.environment, variables },
      { module, dir: moduleFolder(module), planPath: BUILD_PLAN, layersDir: layersFolder(element.id) },
    );
    const layers = State.merge([...folders.values()], { name: '[internal] layers so far', internal: true });
    const step = buildStep(element, module, { ...o, app, layers, own, env, plan: encodeBuildpackPlan(wanted) });
    const done = await readStep(host, step, { ...o, module, wanted });
    built.push(done.built);
    folders.set(element.id, done.own);
    app = done.app;
    plan = nextPlan(plan, done.built);
    const files = await filesOf(host, done.own, o);
    variables = await variablesAfter(variables, { files, layersDir: LAYERS, built: done.built, signal: o.signal });
  }
  const merged = mergeMetadata(built, {
    extensions: detected.extensions,
    platformApi: PLATFORM_API,
    layersDir: LAYERS,
  });
  for (const message of merged.warnings) host.warn({ code: 'BUILDPACK_WARNING', message });
  const { uid, gid } = builder;
  return {
    built: { platformApi: PLATFORM_API, appDir: options.appDir, layersDir: LAYERS, uid, gid, buildpacks: built },
    metadata: merged.metadata,
    trees: {
      app,
      appDir: options.appDir,
      layers: withMetadata([...folders.values()], { ...o, built, merged }),
      launcher: builder.launcher,
    },
  };

  async function readStep(
    asked: FrontendHost,
    step: { readonly app: State; readonly own: State },
    r: { readonly module: ModuleDescriptor; readonly wanted: ReturnType<typeof buildpackPlan> } & Wait,
  ): Promise<Done> {
    const { module, wanted } = r;
    try {
      const files = await filesOf(asked, step.own, r);
      const element = group.find(({ id }) => id === module.id);
      if (!element) throw new TypeError(`read what ${module.id} built: it is not of the group`);
      const read = await readBuilt(files, {
        layersDir: LAYERS,
        element,
        sbomFormats: module.sbomFormats,
        plan: wanted,
        signal: r.signal,
      });
      return { built: read, ...step };
    } catch (error) {
      if (!hasCode(error, 'STEP_FAILED')) throw error;
      throw buildpackError(
        'CNB_BUILD_FAILED',
        `build with buildpack "${module.id}@${module.version}": ${messageOf(error)}`,
        {
          cause: error,
          remedy: 'What it said, above, says why.',
        },
      );
    }
  }
}

/** What buildpacks left, with what the lifecycle adds: SBOM files in their places, and the launcher's configuration. */
function withMetadata(
  folders: readonly State[],
  o: StepSetting & {
    readonly built: readonly BuiltBuildpack[];
    readonly merged: ReturnType<typeof mergeMetadata>;
  },
): State {
  const { builder, built, merged } = o;
  const owner = ownerOf(builder);
  const all = State.merge([emptyFolder(LAYERS, builder), ...folders], {
    name: '[internal] all layers',
    internal: true,
  });
  const file = (path: string, content: string) =>
    [
      { kind: 'mkdir', path: path.slice(0, path.lastIndexOf('/')), mode: 0o755, parents: true, owner, mtime: 0 },
      { kind: 'mkfile', path, mode: 0o644, content, owner, mtime: 0 },
    ] as const;
  const copies = built.flatMap(({ sbom = [] }) => sbom);
  return all.file(
    [
      ...copies.flatMap(({ from, to }) => [
        { kind: 'mkdir', path: to.slice(0, to.lastIndexOf('/')), mode: 0o755, parents: true, owner, mtime: 0 } as const,
        {
          kind: 'copy',
          from: { input: 1 },
          sources: [from],
          destination: to,
          wildcard: false,
          parents: false,
          unpack: false,
          followDestination: true,
          owner,
        } as const,
      ]),
      ...merged.sbomFiles.flatMap(({ path, content }) => file(path, content)),
      ...file(`${LAYERS}/config/metadata.toml`, encodeBuildMetadata(merged.metadata, PLATFORM_API)),
    ],
    [all],
    { name: '[export] SBOM and configuration', group: 'export' },
  );
}
