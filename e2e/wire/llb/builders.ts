import { appendFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CodedError, systemRandom } from '../../../src/base/index.ts';
import { openEngine, type Engine } from '../../../src/engine/index.ts';
import type { Frontend, PlannedImage } from '../../../src/frontend/index.ts';
import { archiveTree, folderSource, unionOf, type TreeView } from '../../../src/tree/index.ts';
import { decodeDefinition, openSession, type SessionStore } from '../../../src/wire/buildkit/index.ts';
import { Control } from '../../../src/wire/gen/buildkit/control_pb.ts';
import type { Definition } from '../../../src/wire/gen/buildkit/ops_pb.ts';
import { openDockerConnection, parseAddress, type GrpcConnection } from '../../../src/wire/grpc/index.ts';
import type { BuildHost } from '../../../src/worker/index.ts';
import type { World } from './world.ts';

/** Solves a definition; what it comes to, one line an entry. */
export interface Solver extends AsyncDisposable {
  solve(definition: Definition, allow: readonly string[]): Promise<readonly string[]>;
}

const platform = { os: 'linux', architecture: 'amd64' } as const;

function hostOf(world: World, tar: string): BuildHost {
  return {
    files: () => folderSource(world.context),
    secret: async (id) => (id === 'word' ? Buffer.from('a secret') : undefined),
    agent: async () =>
      Promise.reject(new CodedError({ code: 'NONE', kind: 'not_found', message: 'there is no agent' })),
    credentials: async () => undefined,
    blobs: () => world.blobs,
    sink: () => ({
      kind: 'stream',
      open: async () => {
        writeFileSync(tar, '');
        return {
          write: async (chunk) => appendFileSync(tar, chunk),
          close: async () => undefined,
          [Symbol.asyncDispose]: async () => undefined,
        };
      },
    }),
  };
}

/** One line for each entry. Times only where they are not those of the test. */
async function listing(tar: string, scratch: string): Promise<readonly string[]> {
  const tree = await archiveTree(tar, { scratch, what: 'the result' });
  if (!tree) throw new Error('the result is no archive');
  const view: TreeView = await unionOf([tree]);
  const lines: string[] = [];
  for (const node of view.walk('')) {
    const { entry, path } = node;
    if (path === '') continue;
    const content = entry.type === 'file' ? await view.readFile(path, { limit: 1 << 20 }) : undefined;
    lines.push(
      [
        entry.type,
        entry.type === 'symlink' ? '-' : entry.mode.toString(8),
        `${entry.uid}:${entry.gid}`,
        entry.mtime < 1_500_000_000 && entry.type === 'file' ? `@${entry.mtime}` : '-',
        `/${path}`,
        entry.type === 'symlink' ? entry.link : content ? JSON.stringify(Buffer.from(content).toString('latin1')) : '',
      ]
        .join(' ')
        .trim(),
    );
  }
  return lines;
}

/** strake's engine, driven by the definition. */
export async function onStrake(world: World): Promise<Solver> {
  const engine: Engine = await openEngine({
    root: world.root,
    keeper: { command: process.execPath, args: [] },
    bases: { apt: () => Promise.reject(new Error('no packages here')), named: new Map() },
  });
  const tar = join(world.work, 'strake.tar');
  return {
    async solve(definition, allow) {
      rmSync(tar, { force: true });
      const frontend: Frontend = async (_request, host, w) => {
        const { root } = await decodeDefinition(definition, {
          ...w,
          platform,
          readDefinition: async (state, path) => host.read(await host.solve(state), path),
        });
        const config = {
          architecture: 'amd64',
          os: 'linux',
          config: {},
          rootfs: { type: 'layers', diff_ids: [] },
          history: [],
        };
        const image: PlannedImage = {
          platform,
          layers: [{ kind: 'base', image: root }],
          root,
          config: config as never,
          baseHistory: 0,
          attestations: [],
        };
        return { results: new Map([['linux/amd64', image]]), metadata: new Map() };
      };
      const request = {
        frontend: 'llb',
        options: {},
        platforms: [platform],
        exports: [{ type: 'tar', sink: 'out' }],
        allow,
        annotations: [],
      } as const;
      const logs: Buffer[] = [];
      try {
        for await (const event of engine.drive(frontend, request, hostOf(world, tar)))
          if (event.kind === 'log') logs.push(Buffer.from(event.chunk));
      } catch (error) {
        throw new Error(`${(error as Error).message}\n${Buffer.concat(logs).toString()}`, { cause: error });
      }
      return listing(tar, world.work);
    },
    [Symbol.asyncDispose]: () => engine[Symbol.asyncDispose](),
  };
}

/** The BuildKit inside a Docker daemon. */
export async function onDocker(world: World, address: string): Promise<Solver> {
  return onServer(world, (await openDockerConnection(parseAddress(address))).grpc);
}

/** A server of BuildKit's API, which keeps its own store: the base comes from the registry. */
export async function onServer(world: World, connection: GrpcConnection): Promise<Solver> {
  const tar = join(world.work, `server-${systemRandom.hex(4)}.tar`);
  const store: SessionStore = {
    has: (descriptor) => world.blobs.has(descriptor),
    open: (descriptor, o) => world.blobs.open(descriptor, o),
    sizeOf: async (digest) => world.sizes.get(digest) ?? 0,
  };
  const control = connection.client(Control);
  return {
    async solve(definition, allow) {
      rmSync(tar, { force: true });
      const id = systemRandom.hex(12);
      await using session = openSession(connection, hostOf(world, tar), {
        id,
        sharedKey: id,
        files: ['context'],
        sinks: ['out'],
        secrets: true,
        stores: new Map([['oci:small', store]]),
      });
      const solve = control.solve({
        Ref: systemRandom.hex(12),
        Definition: definition,
        Session: session.hello.id,
        Exporters: [{ Type: 'tar', Attrs: {} }],
        ExporterDeprecated: 'tar',
        Entitlements: [...allow],
      });
      await solve;
      return await listing(tar, world.work);
    },
    [Symbol.asyncDispose]: () => connection[Symbol.asyncDispose](),
  };
}
