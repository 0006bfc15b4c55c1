import { execFileSync, spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, realpathSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { DockerPeer, peersCommand } from './docker-peer.ts';

/** A BuildKit to test against, as `--on` takes it. */
export interface TestBuildkitd extends AsyncDisposable {
  readonly on: string;
  /** Forgets all that it knows; undefined for a daemon that is not the test's own. */
  readonly forget?: (() => Promise<void>) | undefined;
}

/** Opens the daemon that STRAKE_TEST_BUILDKITD names (`buildkit+unix://…`, `docker+unix://…`), or one of docker 28's among the peers (STRAKE_TEST_PEERS) for this test alone, with its store in `folder`; or why there is none. */
export function findBuildkitd(
  env: Readonly<Record<string, string | undefined>> = process.env,
): { readonly open: (folder: string) => Promise<TestBuildkitd> } | { readonly skip: string } {
  const { STRAKE_TEST_BUILDKITD: named } = env;
  if (named !== undefined && named !== '')
    return { open: async () => ({ on: named, [Symbol.asyncDispose]: async () => undefined }) };
  const enter = peersCommand(env);
  if (!enter)
    return {
      skip: 'no BuildKit: STRAKE_TEST_BUILDKITD names no daemon, STRAKE_TEST_PEERS no command that runs docker 28',
    };
  return {
    open: async (folder) => {
      const peer = await DockerPeer.start(folder, { enter });
      return {
        on: peer.on,
        forget: async () => void (await peer.run(['docker', 'buildx', 'prune', '--all', '--force'])),
        [Symbol.asyncDispose]: () => peer[Symbol.asyncDispose](),
      };
    },
  };
}

/** Programs of this machine, by name or path, with the libraries they need, at their places below a folder: the root of an image that has nothing else. The first one, named without a path, is `/bin/sh`. */
export function rootWith(folder: string, programs: readonly string[]): void {
  const put = (from: string, to: string): void => {
    mkdirSync(dirname(join(folder, to)), { recursive: true });
    copyFileSync(realpathSync(from), join(folder, to));
  };
  for (const [at, name] of programs.entries()) {
    const path = execFileSync('sh', ['-c', `command -v ${name}`], { encoding: 'utf8' }).trim();
    put(path, at === 0 && !name.includes('/') ? '/bin/sh' : `/bin/${basename(name)}`);
    const { status, stdout: needed } = spawnSync('ldd', [path], { encoding: 'utf8' });
    // It is a program that needs none.
    if (status !== 0) continue;
    for (const [, library = ''] of needed.matchAll(/(?:^|=>)\s*(\/\S+) \(/gm)) put(library, library);
  }
}
