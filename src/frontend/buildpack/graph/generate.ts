import type { Wait } from '../../../base/index.ts';
import type { State } from '../../../graph/index.ts';
import type { FrontendHost } from '../../index.ts';
import type { Detected } from '../detect/index.ts';
import { buildpackPlan, generateEnvironment, nextPlan, type EnvironmentBase } from '../environment/index.ts';
import {
  encodeBuildpackPlan,
  escapeId,
  moduleFolder,
  moduleKey,
  parseExtendConfig,
  type ExtendConfig,
} from '../model/index.ts';
import type { Files, GroupElement, ModuleDescriptor } from '../model/types.ts';
import { readGenerated, type GeneratedDockerfile } from './generated-dockerfile.ts';
import { filesOf } from './ref-files.ts';
import { BUILD_PLAN, emptyFolder, generateStep, type StepSetting } from './steps.ts';

/** A Dockerfile that an extension wrote. */
export interface Extension extends GeneratedDockerfile {
  readonly element: GroupElement;
  /** The tree that holds it, and its context. */
  readonly tree: State;
  /** In the tree. */
  readonly file: string;
  /** The context's folder in the tree; absent: the application. */
  readonly context?: string | undefined;
  readonly args: ExtendConfig['build'];
}

export interface Generated {
  readonly build: readonly Extension[];
  readonly run: readonly Extension[];
  /** What is left of the plan for buildpacks. */
  readonly plan: Detected['plan'];
}

/** Runs `bin/generate` of each extension of the group, in order, and reads what it wrote (image_extension.md; lifecycle phase/generator.go). */
export async function generateDockerfiles(
  host: FrontendHost,
  detected: Detected,
  o: StepSetting & { readonly environment: EnvironmentBase; readonly app: State } & Wait,
): Promise<Generated> {
  const found = { build: [] as Extension[], run: [] as Extension[] };
  let { plan } = detected;
  for (const element of detected.extensions) {
    const module = o.builder.modules.get(moduleKey(element));
    if (!module) throw new TypeError(`generate with ${element.id}: it is not in the builder`);
    const wanted = buildpackPlan(plan, element);
    const made = await outputOf(host, module, { ...o, plan: encodeBuildpackPlan(wanted) });
    const text = async (name: string): Promise<string | undefined> => {
      const bytes = await made.files.read(`${made.folder}/${name}`, o);
      return bytes && Buffer.from(bytes).toString();
    };
    const config = parseExtendConfig((await text('extend-config.toml')) ?? '', `${element.id}: extend-config.toml`);
    for (const kind of ['build', 'run'] as const) {
      const written = await text(`${kind}.Dockerfile`);
      if (written === undefined) continue;
      const file = `${made.folder}/${kind}.Dockerfile`;
      const read = readGenerated(written, { file: `${element.id}: ${kind}.Dockerfile`, kind });
      for (const name of read.unusual)
        host.warn({
          code: 'EXTENSION_WARNING',
          message: `${element.id}: ${kind}.Dockerfile uses ${name}, which an extension should not`,
        });
      const context = await contextOf(made, kind, o);
      found[kind].push({ ...read, element, tree: made.tree, file, context, args: config[kind] });
    }
    plan = nextPlan(plan, { met: wanted.map(({ name }) => name) });
  }
  return { ...found, plan };
}

interface Output {
  readonly tree: State;
  readonly files: Files;
  readonly folder: string;
}

/** What `bin/generate` wrote, or what an extension without one brings ready-made. */
async function outputOf(
  host: FrontendHost,
  module: ModuleDescriptor,
  o: StepSetting & { readonly environment: EnvironmentBase; readonly app: State; readonly plan: string } & Wait,
): Promise<Output> {
  const { builder } = o;
  const dir = moduleFolder(module);
  if (!(await builder.files.stat(`${dir}/bin/generate`, o)))
    return { tree: builder.state, files: builder.files, folder: `${dir}/generate` };
  const folder = `/layers/generated/${escapeId(module.id)}`;
  const env = generateEnvironment(o.environment, { module, dir, planPath: BUILD_PLAN, outputDir: folder });
  const tree = generateStep(module, { ...o, env, folder, output: emptyFolder(folder, builder) });
  return { tree, files: await filesOf(host, tree, o), folder };
}

async function contextOf({ files, folder }: Output, kind: 'build' | 'run', w: Wait): Promise<string | undefined> {
  for (const name of [`context.${kind}`, 'context'])
    if ((await files.stat(`${folder}/${name}`, w))?.type === 'directory') return `${folder}/${name}`;
  return undefined;
}
