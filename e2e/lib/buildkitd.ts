import { execFileSync, spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readFileSync, realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** A BuildKit to test against: where it is, as `--on` takes it, or why there is none. */
export type FoundBuildkitd = { readonly on: string } | { readonly skip: string };

/** The daemon that STRAKE_TEST_BUILDKITD names (`buildkit+unix://…`, `docker+unix://…`), or the Docker daemon in the root of peers that PEERS names. */
export function findBuildkitd(env: Readonly<Record<string, string | undefined>> = process.env): FoundBuildkitd {
  const { STRAKE_TEST_BUILDKITD: named, PEERS: peers } = env;
  if (named !== undefined && named !== '') return { on: named };
  if (peers === undefined || peers === '')
    return { skip: 'no BuildKit: STRAKE_TEST_BUILDKITD names no daemon, PEERS no root with a Docker daemon' };
  const pid = join(peers, 'namespace.pid');
  const socket = existsSync(pid) ? `/proc/${readFileSync(pid, 'utf8').trim()}/root/run/docker.sock` : '';
  return existsSync(socket)
    ? { on: `docker+unix://${socket}` }
    : { skip: `no BuildKit: the Docker daemon of "${peers}" is not running` };
}

/** Programs of this machine with the libraries they need, at their places below a folder: the root of an image that has nothing else. The first one is also `/bin/sh`. */
export function rootWith(folder: string, programs: readonly string[]): void {
  const put = (from: string, to: string): void => {
    mkdirSync(dirname(join(folder, to)), { recursive: true });
    copyFileSync(realpathSync(from), join(folder, to));
  };
  for (const [at, name] of programs.entries()) {
    const path = execFileSync('sh', ['-c', `command -v ${name}`], { encoding: 'utf8' }).trim();
    put(path, at === 0 ? '/bin/sh' : `/bin/${name}`);
    const { status, stdout: needed } = spawnSync('ldd', [path], { encoding: 'utf8' });
    // It is a program that needs none.
    if (status !== 0) continue;
    for (const [, library = ''] of needed.matchAll(/(?:^|=>)\s*(\/\S+) \(/gm)) put(library, library);
  }
}
