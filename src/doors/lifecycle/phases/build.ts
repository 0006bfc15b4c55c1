import { copyFileSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { hasErrno, messageOf } from '../../../base/index.ts';
import {
  buildEnvironment,
  buildpackError,
  buildpackPlan,
  checkBuildpackApi,
  encodeBuildMetadata,
  encodeBuildpackPlan,
  escapeId,
  mergeMetadata,
  nextPlan,
  readBuilt,
  variablesAfter,
  type BuiltBuildpack,
  type Detected,
  type GroupElement,
  type ImageTarget,
} from '../../../frontend/buildpack/index.ts';
import { writeText, type PhaseContext } from '../context.ts';
import { diskFiles } from '../disk-files.ts';
import { phaseEnvironment } from '../environment.ts';
import { moduleFolder, readModule } from '../modules.ts';
import { runModule } from '../run-module.ts';

/** Runs every `bin/build` of the group, and leaves layers, SBOM files and metadata.toml (platform.md, builder). `scratch`: a folder for plans. */
export async function build(
  c: PhaseContext,
  o: { detected: Detected; target: ImageTarget | undefined; scratch: string },
): Promise<void> {
  const { inputs, log } = c;
  const { group, extensions } = o.detected;
  const layersDir = inputs.path('layers');
  for (const element of group) checkBuildpackApi(element);
  rmSync(`${layersDir}/sbom`, { recursive: true, force: true });
  const environment = await phaseEnvironment(o.target, c);
  const built: BuiltBuildpack[] = [];
  let { plan } = o.detected;
  let { variables } = environment;
  for (const element of group) {
    const module = readModule(element, inputs);
    if (!module)
      throw buildpackError(
        'CNB_MODULE_MISSING',
        `build: buildpack "${element.id}@${element.version}" is not in the builder`,
      );
    const folder = `${layersDir}/${escapeId(element.id)}`;
    mkdirSync(folder, { recursive: true });
    const wanted = buildpackPlan(plan, element);
    const planPath = join(o.scratch, `build-${built.length}`, 'plan.toml');
    writeText(planPath, encodeBuildpackPlan(wanted));
    const dir = moduleFolder(element, inputs);
    const env = buildEnvironment({ ...environment, variables }, { module, dir, planPath, layersDir: folder });
    await runBuild(element, {
      ...c,
      argv: [`${dir}/bin/build`, folder, environment.platformDir, planPath],
      lines: env,
    });
    const read = await readBuilt(diskFiles, {
      layersDir,
      element,
      sbomFormats: module.sbomFormats,
      plan: wanted,
      signal: c.signal,
    });
    for (const name of read.ignored ?? []) {
      rmSync(`${folder}/${name}.ignore`, { recursive: true, force: true });
      renameSync(`${folder}/${name}`, `${folder}/${name}.ignore`);
    }
    for (const { from, to } of read.sbom ?? []) {
      mkdirSync(to.slice(0, to.lastIndexOf('/')), { recursive: true });
      copyFileSync(from, to);
    }
    built.push(read);
    plan = nextPlan(plan, read);
    variables = await variablesAfter(variables, { files: diskFiles, layersDir, built: read, signal: c.signal });
  }
  const merged = mergeMetadata(built, { extensions, platformApi: inputs.api, layersDir });
  for (const warning of merged.warnings) log.warn(warning.replace(/^Warning: /, ''));
  for (const { path, content } of merged.sbomFiles) writeText(path, content);
  writeText(`${layersDir}/config/metadata.toml`, encodeBuildMetadata(merged.metadata, inputs.api));
}

async function runBuild(
  { id, version }: GroupElement,
  c: PhaseContext & { readonly argv: readonly [string, ...string[]]; readonly lines: readonly string[] },
): Promise<void> {
  const what = `build with buildpack "${id}@${version}"`;
  let code: number;
  try {
    code = await runModule(c.argv, { cwd: c.inputs.path('app'), env: c.lines, signal: c.signal });
  } catch (error) {
    if (!hasErrno(error, 'ENOENT', 'EACCES', 'ENOEXEC', 'ENOTDIR')) throw error;
    throw buildpackError('CNB_BUILD_FAILED', `${what}: ${messageOf(error)}`, { cause: error });
  }
  if (code !== 0)
    throw buildpackError('CNB_BUILD_FAILED', `${what}: its bin/build ended with exit status ${code}`, {
      remedy: 'What it said, above, says why.',
    });
}
