import { closeSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { hasErrno, messageOf } from '../../../base/index.ts';
import {
  detectEnvironment,
  detectGroup,
  EMPTY_LIFECYCLE_METADATA,
  encodeAnalyzed,
  encodeGroup,
  encodePlan,
  parseAnalyzed,
  parseOrder,
  parseSystem,
  type Analyzed,
  type Detected,
  type DetectModule,
  type DetectRun,
  type EnvironmentBase,
} from '../../../frontend/buildpack/index.ts';
import { writeText, type PhaseContext } from '../context.ts';
import { needText, readText } from '../disk-files.ts';
import { phaseEnvironment } from '../environment.ts';
import { lifecycleError } from '../errors.ts';
import { findModule, moduleFolder } from '../modules.ts';
import { guardExperimental } from '../guard-experimental.ts';
import type { During } from '../programs.ts';
import { runModule } from '../run-module.ts';

/** Finds the group that builds the app, and writes group.toml and plan.toml (platform.md, detector). `scratch`: a folder for plans; `generates`: extensions of the group generate their Dockerfiles. */
export async function detect(
  c: PhaseContext,
  o: { scratch: string; generates: boolean; during: During },
): Promise<Detected> {
  const { inputs, log } = c;
  const orderPath = inputs.orderPath();
  const order = parseOrder(needText(orderPath, 'the order of buildpacks'), orderPath);
  const hasExtensions = inputs.since('0.10') && order.extensions.length > 0;
  if (hasExtensions && !inputs.since('0.13')) guardExperimental('Dockerfiles', c);
  const systemPath = inputs.path('system');
  const system = inputs.since('0.15') ? readText(systemPath) : undefined;
  const analyzed = readAnalyzed(c);
  const environment = await phaseEnvironment(analyzed?.runImage?.target, c);
  let runs = 0;
  const detected = await detectGroup(
    {
      order: order.order,
      extensions: hasExtensions ? order.extensions : [],
      system: system === undefined ? undefined : parseSystem(system, systemPath),
      platformApi: inputs.api,
      execEnv: inputs.execEnv,
      target: environment.target,
      find: async (id) => findModule(id, inputs),
      run: (module, w) => runDetect(module, { ...c, ...w, environment, scratch: join(o.scratch, `detect-${runs++}`) }),
      log: (line) => log.say(line),
    },
    c,
  );
  if (detected.extensions.length > 0 && !o.generates)
    throw lifecycleError(
      'LIFECYCLE_UNSUPPORTED',
      `detect: the group has extensions (${detected.extensions.map(({ id }) => id).join(', ')}), which the creator cannot apply`,
      { remedy: 'Run the phases one by one, the extender among them.' },
    );
  writeText(inputs.path('group'), encodeGroup(detected));
  writeText(inputs.path('plan'), encodePlan(detected.plan));
  if (detected.extensions.length === 0) return detected;
  return o.during('generate', async () => {
    const { generate } = await import('./generate.ts');
    const made = await generate(c, {
      ...o,
      detected,
      environment,
      analyzed: analyzed ?? { metadata: EMPTY_LIFECYCLE_METADATA },
    });
    writeText(inputs.path('analyzed'), encodeAnalyzed(made.analyzed));
    writeText(inputs.path('plan'), encodePlan(made.plan));
    return { ...detected, plan: made.plan };
  });
}

/** analyzed.toml, where the platform has run an analyzer. */
export function readAnalyzed({ inputs }: Pick<PhaseContext, 'inputs'>): Analyzed | undefined {
  const path = inputs.path('analyzed');
  const text = readText(path);
  return text === undefined ? undefined : parseAnalyzed(text, path);
}

async function runDetect(
  { descriptor }: DetectModule,
  c: PhaseContext & { readonly environment: EnvironmentBase; readonly scratch: string },
): Promise<DetectRun> {
  const { inputs, environment, scratch } = c;
  const dir = moduleFolder(descriptor, inputs);
  const planPath = join(scratch, 'plan.toml');
  writeText(planPath, '');
  const env = detectEnvironment(environment, { module: descriptor, dir, planPath });
  // One file for both streams keeps their order.
  const outputPath = join(scratch, 'output');
  const output = openSync(outputPath, 'w+');
  try {
    const code = await runModule([`${dir}/bin/detect`, environment.platformDir, planPath], {
      cwd: inputs.path('app'),
      env,
      output,
      signal: c.signal,
    });
    return { code, output: readFileSync(outputPath), plan: readText(planPath) || undefined };
  } catch (error) {
    if (!hasErrno(error, 'ENOENT', 'EACCES', 'ENOEXEC', 'ENOTDIR')) throw error;
    return { code: -1, output: Buffer.from(`${messageOf(error)}\n`) };
  } finally {
    closeSync(output);
  }
}
