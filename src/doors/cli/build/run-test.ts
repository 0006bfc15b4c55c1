import { runImage } from '../run/run-image.ts';
import type { CliContext } from '../command.ts';
import { engineFor } from '../settings.ts';
import type { BuildFlags } from './flags.ts';
import { runBuild } from './run-build.ts';

/** `strake test`: a build for tests, then its process "test"; gives that one's exit code. */
export async function runTest(
  place: string,
  words: readonly string[],
  o: { readonly flags: BuildFlags; readonly runEnv: readonly string[]; readonly c: CliContext },
): Promise<number> {
  const { c, runEnv } = o;
  const flags: BuildFlags = {
    ...o.flags,
    byBuildpacks: true,
    execEnv: o.flags.execEnv ?? 'test',
    defaultProcess: o.flags.defaultProcess ?? 'test',
  };
  const built = await runBuild(place, flags, { ...c, silent: true });
  const id = built?.images[0]?.imageId;
  if (id === undefined) return 0;
  const running = {
    ...NO_RUN_FLAGS,
    env: [`CNB_EXEC_ENV=${flags.execEnv ?? 'test'}`, ...runEnv],
    network: flags.network,
    quiet: true,
    pull: 'never',
  };
  try {
    return await runImage(id, words, { flags: running, c });
  } finally {
    await forget(id, c);
  }
}

const NO_RUN_FLAGS = { publish: [], envFile: [], volume: [], tmpfs: [], addHost: [], healthcheck: false } as const;

/** An image without a name goes; what its steps came to stays for the next time. */
async function forget(id: string, { settings }: CliContext): Promise<void> {
  await using engine = await engineFor(settings);
  const { names } = await engine.images.inspect(id);
  if (names.length === 0) await engine.images.remove(id);
}
