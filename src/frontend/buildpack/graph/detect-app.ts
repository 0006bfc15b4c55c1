import type { Wait } from '../../../base/index.ts';
import type { State } from '../../../graph/index.ts';
import type { FrontendHost } from '../../index.ts';
import { detectGroup, type Detected } from '../detect/index.ts';
import { detectEnvironment, type EnvironmentBase } from '../environment/index.ts';
import { moduleFolder, moduleKey } from '../model/index.ts';
import { PLATFORM_API } from './export-app.ts';
import { filesOf } from './ref-files.ts';
import { DETECT_PLAN, detectStep, type StepSetting } from './steps.ts';

/** Which buildpacks build this application, and what they want of each other. What no buildpack wants is told with all that they said. */
export async function detectApp(
  host: FrontendHost,
  o: StepSetting & { readonly environment: EnvironmentBase; readonly app: State } & Wait,
): Promise<Detected> {
  const { builder, options, environment } = o;
  return host.task('[detect] find the group', (say) =>
    detectGroup(
      {
        order: builder.order,
        extensions: builder.orderExtensions,
        system: builder.system,
        platformApi: PLATFORM_API,
        execEnv: options.execEnv,
        target: environment.target,
        find: async (id, w) => {
          const descriptor = builder.modules.get(moduleKey(id));
          if (!descriptor) return undefined;
          const folder = moduleFolder(descriptor);
          const programs = await builder.files.list(`${folder}/bin`, w);
          const plan = await builder.files.read(`${folder}/detect/plan.toml`, w);
          return {
            descriptor,
            programs: programs.map(({ path }) => path.slice(path.lastIndexOf('/') + 1)),
            plan: plan && Buffer.from(plan).toString(),
          };
        },
        run: async ({ descriptor }, w) => {
          const call = { module: descriptor, dir: moduleFolder(descriptor), planPath: DETECT_PLAN };
          const env = detectEnvironment(environment, call);
          const step = detectStep(descriptor, { ...o, env });
          const outcome = await filesOf(host, step.outcome, w);
          const plan = await (await filesOf(host, step.plan, w)).read(DETECT_PLAN, w);
          return {
            code: Number(Buffer.from((await outcome.read('/status', w)) ?? '').toString()),
            output: (await outcome.read('/output', w)) ?? new Uint8Array(),
            plan: plan && plan.length > 0 ? Buffer.from(plan).toString() : undefined,
          };
        },
        log: ({ level, text }) => level !== 'debug' && say(text),
      },
      o,
    ),
  );
}
