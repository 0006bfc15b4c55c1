import { apiAtLeast } from '../model/api.ts';
import type { ImageTarget, ModuleDescriptor } from '../model/types.ts';
import { applyEnvFiles, applyUserFiles, type EnvFile, type Variables } from './variables.ts';

/**
 * What all programs of a build are given their environment from.
 *
 *     const platformEnv = await readEnvFolder(files, '/platform/env', w);
 *     const operatorEnv = await readEnvFolder(files, '/cnb/build-config/env', w);
 *     const base = { variables: baseVariables(config.Env), platformEnv, operatorEnv, target: completeTarget(...), execEnv, platformDir: '/platform' };
 *     detectEnvironment(base, { module, dir, planPath })                                   // bin/detect PLATFORM PLAN
 *     buildEnvironment({ ...base, variables }, { module, dir, planPath, layersDir })       // bin/build LAYERS PLATFORM PLAN
 *     variables = await variablesAfter(variables, { files, layersDir: '/layers', built })  // for the next one
 */
export interface EnvironmentBase {
  /** `baseVariables` of the build container and, in the build, what earlier buildpacks made of them. */
  readonly variables: Variables;
  /** Files of `<platform>/env`: the user's. */
  readonly platformEnv: readonly EnvFile[];
  /** Files of `<build-config>/env`: the operator's. Give none with a Platform API below 0.11. */
  readonly operatorEnv: readonly EnvFile[];
  /** Of the run image, completed (`completeTarget`): it is told whatever the Platform API. */
  readonly target: ImageTarget;
  readonly execEnv: string;
  readonly platformDir: string;
  /** Variables of the platform itself, as SERVICE_BINDING_ROOT; they win. */
  readonly extra?: Readonly<Record<string, string>> | undefined;
}

interface ModuleCall {
  readonly module: ModuleDescriptor;
  /** Its folder in the builder. */
  readonly dir: string;
  readonly planPath: string;
}

/** The environment of a `bin/detect` as `NAME=value`. Its arguments are the platform folder and the plan, whatever the API. */
export function detectEnvironment(base: EnvironmentBase, call: ModuleCall): readonly string[] {
  return environmentOf(base, call, {
    [call.module.kind === 'extension' ? 'CNB_EXTENSION_DIR' : 'CNB_BUILDPACK_DIR']: call.dir,
    ...since(call, '0.8', { CNB_PLATFORM_DIR: base.platformDir, CNB_BUILD_PLAN_PATH: call.planPath }),
  });
}

/** The environment of a `bin/build` as `NAME=value`. Its arguments are its layers folder, the platform folder and the plan, whatever the API. */
export function buildEnvironment(base: EnvironmentBase, call: ModuleCall & { layersDir: string }): readonly string[] {
  return environmentOf(base, call, {
    CNB_BUILDPACK_DIR: call.dir,
    ...since(call, '0.8', {
      CNB_PLATFORM_DIR: base.platformDir,
      CNB_BP_PLAN_PATH: call.planPath,
      CNB_LAYERS_DIR: call.layersDir,
    }),
  });
}

/** The environment of an extension's `bin/generate` as `NAME=value`. Its arguments are the output folder, the platform folder and the plan. */
export function generateEnvironment(
  base: EnvironmentBase,
  call: ModuleCall & { outputDir: string },
): readonly string[] {
  return environmentOf(base, call, {
    CNB_BP_PLAN_PATH: call.planPath,
    CNB_EXTENSION_DIR: call.dir,
    CNB_OUTPUT_DIR: call.outputDir,
    CNB_PLATFORM_DIR: base.platformDir,
  });
}

function environmentOf(
  base: EnvironmentBase,
  call: ModuleCall,
  own: Readonly<Record<string, string>>,
): readonly string[] {
  const user = call.module.clearEnv ? base.variables : applyUserFiles(base.variables, base.platformEnv);
  const all = new Map(applyEnvFiles(user, { files: base.operatorEnv, default: 'default' }));
  const given = {
    ...own,
    ...since(call, '0.10', targetVariables(base.target)),
    ...since(call, '0.12', base.execEnv === '' ? {} : { CNB_EXEC_ENV: base.execEnv }),
    ...base.extra,
  };
  for (const [name, value] of Object.entries(given)) all.set(name, value);
  return [...all].map(([name, value]) => `${name}=${value}`);
}

/** The CNB_TARGET_ variables: os and architecture always, the others where they are known. */
export function targetVariables(target: ImageTarget): Readonly<Record<string, string>> {
  const optional: readonly (readonly [string, string])[] = [
    ['CNB_TARGET_ARCH_VARIANT', target.variant],
    ['CNB_TARGET_DISTRO_NAME', target.distro?.name ?? ''],
    ['CNB_TARGET_DISTRO_VERSION', target.distro?.version ?? ''],
  ];
  return {
    CNB_TARGET_OS: target.os,
    CNB_TARGET_ARCH: target.arch,
    ...Object.fromEntries(optional.filter(([, value]) => value !== '')),
  };
}

const since = (
  { module }: ModuleCall,
  api: string,
  variables: Readonly<Record<string, string>>,
): Readonly<Record<string, string>> => (apiAtLeast(module.api, api) ? variables : {});
