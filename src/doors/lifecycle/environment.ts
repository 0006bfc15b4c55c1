import {
  baseVariables,
  completeTarget,
  readEnvFolder,
  type EnvironmentBase,
  type ImageTarget,
} from '../../frontend/buildpack/index.ts';
import type { PhaseContext } from './context.ts';
import { diskFiles, readText } from './disk-files.ts';

/** What every program of a buildpack finds in its environment, from this container's own and the platform's files (platform.md, Environment). */
export async function phaseEnvironment(target: ImageTarget | undefined, c: PhaseContext): Promise<EnvironmentBase> {
  const { inputs } = c;
  const platformDir = inputs.path('platform');
  const lines = Object.entries(c.env).flatMap(([name, value]) => (value === undefined ? [] : [`${name}=${value}`]));
  return {
    variables: baseVariables(lines),
    platformEnv: await readEnvFolder(diskFiles, `${platformDir}/env`, c),
    operatorEnv: inputs.since('0.11') ? await readEnvFolder(diskFiles, `${inputs.path('build-config')}/env`, c) : [],
    target: completeTarget(target ?? { os: '', arch: '', variant: '' }, {
      osRelease: readText('/etc/os-release'),
      arch: c.platform.architecture,
    }),
    execEnv: inputs.execEnv,
    platformDir,
    extra: traceContext(c.env),
  };
}

/** The span that the platform runs this phase in, for programs that tell of their own below it (W3C Trace Context; buildpacks RFC 0131). */
export function traceContext(env: PhaseContext['env']): Readonly<Record<string, string>> {
  const parent = env['CNB_OTEL_TRACEPARENT'] || env['TRACEPARENT'] || '';
  const isContext = /^(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?:-.*)?$/.test(parent);
  return isContext ? { CNB_OTEL_TRACEPARENT: parent } : {};
}
