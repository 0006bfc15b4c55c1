import { mkdirSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { Database, HttpClient, systemClock, systemRandom } from '../base/index.ts';
import type { Engine } from '../engine/index.ts';
import { hostPlatform } from '../image/index.ts';
import { BuildServer } from '../serve/index.ts';
import { KeptFiles } from '../wire/buildkit/index.ts';
import { GrpcServer, parseAddress, type ServerTls } from '../wire/grpc/index.ts';

/** A server of BuildKit's API over an engine. */
export interface ServedBuildKit extends AsyncDisposable {
  /** Takes no new build, and waits for those that run, at most so many milliseconds. */
  drain(patience: number): Promise<void>;
}

/**
 * Serves an engine to BuildKit's clients (`docker buildx` with driver remote, buildctl, `--on`). `address`: `unix:///PATH` or `tcp://HOST:PORT`; `root`: the engine's store, where builds are kept on record. TCP without `tls` that asks
 * for certificates serves anybody who reaches it. Throws `GRPC_ADDRESS`, `GRPC_LISTEN`, `GRPC_TLS`.
 */
export async function serveBuildKit(
  engine: Engine,
  o: {
    readonly root: string;
    readonly address: string;
    readonly tls?: ServerTls | undefined;
    /** What builds may be granted: `network.host`, `security.insecure`. */
    readonly entitlements?: readonly string[] | undefined;
    readonly log?: ((line: string) => void) | undefined;
  },
): Promise<ServedBuildKit> {
  await using opened = new AsyncDisposableStack();
  const scratch = join(o.root, 'tmp');
  mkdirSync(scratch, { recursive: true, mode: 0o700 });
  const env = process.env;
  const server = new BuildServer({
    engine,
    database: opened.use(Database.open(join(o.root, 'strake.db'))),
    cloud: { http: opened.use(new HttpClient({ env })), env, home: homedir(), clock: systemClock },
    clock: systemClock,
    random: systemRandom,
    scratch,
    kept: new KeptFiles(join(o.root, 'context', 'remote'), { clock: systemClock, random: systemRandom }),
    info: { id: `strake-${process.pid}`, platforms: [hostPlatform(process)], labels: {}, gc: [], version: 'library' },
    entitlements: new Set(o.entitlements ?? []),
    log: (line) => o.log?.(line),
  });
  const grpc = opened.use(new GrpcServer({ routes: server.routes, raw: server.raw }));
  await grpc.listen(parseAddress(o.address), { ...(o.tls && { tls: o.tls }), mode: 0o600 });
  const kept = opened.move();
  return {
    drain: async (patience) => {
      grpc.stopListening();
      await server.drain(patience);
    },
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}
