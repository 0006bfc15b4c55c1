import type { Wait } from '../../../base/index.ts';
import type { State } from '../../../graph/index.ts';
import { baseVariables, readEnvFolder, type EnvironmentBase } from '../environment/index.ts';
import { completeTarget } from '../model/index.ts';
import type { Builder } from './builder.ts';
import type { BuildpackOptions } from './options.ts';
import { platformTree } from './platform-tree.ts';
import type { RunBase } from './run-image.ts';

/** What the programs of a build find in their environment, and the tree with /platform: variables of the builder, then the user's (platform.md, Environment). */
export async function environmentFor(
  builder: Builder,
  o: { options: BuildpackOptions; run: RunBase } & Wait,
): Promise<{ readonly base: EnvironmentBase; readonly tree: State }> {
  const { options, run } = o;
  const { files } = builder;
  const [own, operatorEnv, release] = await Promise.all([
    readEnvFolder(files, '/platform/env', o),
    readEnvFolder(files, '/cnb/build-config/env', o),
    files.read('/etc/os-release', o),
  ]);
  const user = new Map([...own.map(({ name, value }) => [name, value] as const), ...options.env]);
  return {
    base: {
      variables: baseVariables(builder.env),
      platformEnv: [...user].map(([name, value]) => ({ name, value })),
      operatorEnv,
      target: completeTarget(run.target, { osRelease: release && Buffer.from(release).toString() }),
      execEnv: options.execEnv,
      platformDir: '/platform',
      extra: options.bindings.size > 0 ? { SERVICE_BINDING_ROOT: '/platform/bindings' } : undefined,
    },
    tree: platformTree(user, options),
  };
}
