import { cpSync, existsSync, mkdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { hasErrno, messageOf } from '../../../base/index.ts';
import {
  buildpackError,
  buildpackPlan,
  encodeBuildpackPlan,
  escapeId,
  generateEnvironment,
  nextPlan,
  parseExtendConfig,
  readGenerated,
  type Analyzed,
  type Detected,
  type EnvironmentBase,
  type GeneratedDockerfile,
  type GroupElement,
} from '../../../frontend/buildpack/index.ts';
import { writeText, type PhaseContext } from '../context.ts';
import { readText } from '../disk-files.ts';
import { generatedFile, type DockerfileKind } from '../extend/generated-file.ts';
import { moduleFolder, readModule } from '../modules.ts';
import { builderRunImages } from '../names.ts';
import { runModule } from '../run-module.ts';

interface Written extends GeneratedDockerfile {
  readonly element: GroupElement;
  readonly kind: DockerfileKind;
  readonly path: string;
}

/**
 * Runs `bin/generate` of each extension, in order, and puts what it wrote where extender and platform look for it (image_extension.md; lifecycle phase/generator.go): the plan that is left for buildpacks, and what is known of the run image from now on.
 * `scratch`: a folder for plans and, before Platform API 0.13, for outputs.
 */
export async function generate(
  c: PhaseContext,
  o: { detected: Detected; analyzed: Analyzed; environment: EnvironmentBase; scratch: string },
): Promise<{ readonly plan: Detected['plan']; readonly analyzed: Analyzed }> {
  const { inputs } = c;
  // What an earlier detection left is not this one's.
  rmSync(inputs.path('generated'), { recursive: true, force: true });
  const written: Written[] = [];
  let { plan } = o.detected;
  for (const element of o.detected.extensions) {
    const wanted = buildpackPlan(plan, element);
    const folder = await outputOf(element, c, { ...o, plan: encodeBuildpackPlan(wanted) });
    written.push(...readOutput(element, folder, c));
    plan = nextPlan(plan, { met: wanted.map(({ name }) => name) });
  }
  const runs = written.filter(({ kind }) => kind === 'run');
  // The last one that is on another image is where the run image begins.
  const first = Math.max(
    0,
    runs.findLastIndex(({ from }) => from !== undefined),
  );
  for (const file of written) place(file, c, { ignored: file.kind === 'run' && runs.indexOf(file) < first });
  return { plan, analyzed: withRunImage(o.analyzed, runs.slice(first), c) };
}

/** The folder that has what an extension wrote, or brings ready-made. */
async function outputOf(
  element: GroupElement,
  c: PhaseContext,
  o: { environment: EnvironmentBase; scratch: string; plan: string },
): Promise<string> {
  const { inputs } = c;
  const { id, version } = element;
  const module = readModule(element, inputs);
  if (!module)
    throw buildpackError('CNB_MODULE_MISSING', `generate: extension "${id}@${version}" is not in the builder`);
  const dir = moduleFolder(element, inputs);
  if (!existsSync(`${dir}/bin/generate`)) return `${dir}/generate`;
  const parent = inputs.since('0.13') ? inputs.path('generated') : join(o.scratch, 'generated');
  const folder = `${parent}/${escapeId(id)}`;
  mkdirSync(folder, { recursive: true });
  const planPath = join(o.scratch, 'generate', escapeId(id), 'plan.toml');
  writeText(planPath, o.plan);
  const env = generateEnvironment(o.environment, { module, dir, planPath, outputDir: folder });
  const what = `generate with extension "${id}@${version}"`;
  let code: number;
  try {
    const { platformDir } = o.environment;
    code = await runModule([`${dir}/bin/generate`, folder, platformDir, planPath], {
      cwd: inputs.path('app'),
      env,
      signal: c.signal,
    });
  } catch (error) {
    if (!hasErrno(error, 'ENOENT', 'EACCES', 'ENOEXEC', 'ENOTDIR')) throw error;
    throw buildpackError('CNB_GENERATE_FAILED', `${what}: ${messageOf(error)}`, { cause: error });
  }
  if (code !== 0)
    throw buildpackError('CNB_GENERATE_FAILED', `${what}: its bin/generate ended with exit status ${code}`, {
      remedy: 'What it said, above, says why.',
    });
  return folder;
}

function readOutput(element: GroupElement, folder: string, { inputs, log }: PhaseContext): readonly Written[] {
  const { id } = element;
  parseExtendConfig(readText(`${folder}/extend-config.toml`) ?? '', `${id}: extend-config.toml`);
  const contexts = ['context', 'context.build', 'context.run'].filter((name) => isFolder(`${folder}/${name}`));
  if (contexts.length > 1 && contexts[0] === 'context')
    throw buildpackError(
      'CNB_FILE_INVALID',
      `read what extension "${id}" generated: it has context and ${contexts[1]}`,
      {
        remedy: 'Write either context, or context.build and context.run.',
      },
    );
  return (['run', 'build'] as const).flatMap((kind): readonly Written[] => {
    const path = `${folder}/${kind}.Dockerfile`;
    const text = readText(path);
    if (text === undefined) return [];
    const read = readGenerated(text, { file: `${id}: ${kind}.Dockerfile`, kind });
    for (const name of read.unusual)
      log.warn(`${kind}.Dockerfile command ${name} of extension ${id} is not recommended`);
    if (kind === 'run' && read.extends && !inputs.since('0.12'))
      log.warn(
        `run.Dockerfile of extension ${id}: Platform API ${inputs.api} extends no run image, only its FROM counts`,
      );
    return [{ ...read, element, kind, path }];
  });
}

/** Where Platform APIs have it; one that does not count has another name. */
function place({ element, kind, path }: Written, { inputs }: PhaseContext, o: { ignored: boolean }): void {
  const from = path.slice(0, path.lastIndexOf('/'));
  const to = generatedFile(element.id, kind, inputs);
  mkdirSync(to.folder, { recursive: true });
  const copy = (source: string, target: string): void => {
    if (source !== target && existsSync(source)) cpSync(source, target, { recursive: true });
  };
  copy(path, to.path);
  copy(`${from}/extend-config.toml`, `${to.folder}/extend-config.toml`);
  if (inputs.since('0.13'))
    for (const name of ['context', `context.${kind}`]) copy(`${from}/${name}`, `${to.folder}/${name}`);
  if (o.ignored) renameSync(to.path, `${to.path}.ignore`);
}

function withRunImage(analyzed: Analyzed, runs: readonly Written[], { inputs, log }: PhaseContext): Analyzed {
  const name = runs[0]?.from;
  const extend = inputs.since('0.12') && runs.some((one) => one.extends);
  const before = analyzed.runImage;
  const isNew = name !== undefined && (!inputs.since('0.12') || name !== before?.image);
  if (!isNew) return before ? { ...analyzed, runImage: { ...before, extend } } : analyzed;
  const known = builderRunImages(inputs).flatMap(({ image, mirrors }) => [image, ...mirrors]);
  if (!known.includes(name)) log.warn(`new runtime base image '${name}' not found in run metadata`);
  // What it is for is not known yet: the restorer finds out.
  return { ...analyzed, runImage: { reference: name, image: name, extend } };
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}
