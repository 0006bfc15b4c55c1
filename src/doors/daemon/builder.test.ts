import { join } from 'node:path';
import { duplexPair } from 'node:stream';
import { Database, HttpClient, systemRandom } from '../../base/index.ts';
import { builderSuite } from '../../engine/builder.suite.ts';
import { EngineRig } from '../../engine/engine-rig.suite.ts';
import { dockerfileFrontend } from '../../frontend/dockerfile/index.ts';
import { hostPlatform } from '../../image/index.ts';
import { BuildServer } from '../../serve/index.ts';
import { KeptFiles } from '../../wire/buildkit/index.ts';
import { GrpcConnection, GrpcServer } from '../../wire/grpc/index.ts';
import { remoteBuilder, remoteConnection } from '../../serve/remote/index.ts';

builderSuite("over strake's own daemon", async () => {
  await using opened = new AsyncDisposableStack();
  const rig = opened.use(await EngineRig.open());
  const server = new BuildServer({
    engine: rig.engine,
    database: opened.use(Database.open(join(rig.root, 'serve.db'))),
    info: { id: 'suite', platforms: [hostPlatform(process)], labels: {}, gc: [], version: '0' },
    clock: rig.clock,
    random: systemRandom,
    cloud: { http: opened.use(new HttpClient({ env: {} })), env: {}, home: rig.root, clock: rig.clock },
    scratch: join(rig.root, 'tmp'),
    entitlements: new Set(),
    kept: new KeptFiles(join(rig.root, 'kept'), { clock: rig.clock, random: systemRandom }),
    log: () => undefined,
  });
  const grpc = opened.use(new GrpcServer({ routes: server.routes, raw: server.raw }));
  const [here, there] = duplexPair();
  grpc.accept(there);
  const connection = opened.use(remoteConnection(new GrpcConnection(here), { name: 'suite' }));
  const builder = remoteBuilder(connection, { frontends: { dockerfile: dockerfileFrontend }, clock: rig.clock });
  const kept = opened.move();
  return {
    builder,
    base: 'FROM scratch',
    folders: {},
    forever: 'wait never',
    forget: async () => void (await rig.engine.store.prune({ all: true })),
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
});
