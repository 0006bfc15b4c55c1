import { join } from 'node:path';
import type { Builder } from '../../../engine/index.ts';
import type { Frontend } from '../../../frontend/index.ts';
import { remoteBuilder, severalBuilders, type NodeBuilder } from '../../../serve/remote/index.ts';
import type { BuildHost } from '../../../worker/index.ts';
import type { CliContext } from '../command.ts';
import { engineFor } from '../settings.ts';
import { sharedKeyOf } from './client-id.ts';
import { connectEndpoint } from './connect-endpoint.ts';
import { findEndpoints } from './find-endpoints.ts';
import { joinIndex } from './join-index.ts';
import { BaseMaker } from './make-base.ts';

export interface OpenBuilder extends AsyncDisposable {
  readonly builder: Builder;
  /** Where it builds, as people know it. */
  readonly name: string;
}

const FRONTENDS: Readonly<Record<string, Frontend>> = {
  dockerfile: async (request, host, w) =>
    (await import('../../../frontend/dockerfile/index.ts')).dockerfileFrontend(request, host, w),
  buildpack: async (request, host, w) =>
    (await import('../../../frontend/buildpack/index.ts')).buildpackFrontend(request, host, w),
};

/** The builder that `--on` names: one daemon, or several, each for its platforms. Throws what `findEndpoints` and `connectEndpoint` do. */
export async function openBuilder(
  on: string,
  { c, host }: { readonly c: CliContext; readonly host: Pick<BuildHost, 'credentials'> },
): Promise<OpenBuilder> {
  const { io, settings, signal } = c;
  const endpoints = findEndpoints(on, { io, tls: settings.tls });
  await using opened = new AsyncDisposableStack();
  const bases = opened.use(
    new BaseMaker({
      open: () => engineFor(settings),
      host,
      scratch: join(settings.root, 'tmp'),
      random: io.random,
    }),
  );
  const nodes: NodeBuilder[] = [];
  for (const endpoint of endpoints) {
    const connection = opened.use(await connectEndpoint(endpoint, { cwd: io.cwd, signal }));
    const builder = remoteBuilder(connection, {
      frontends: FRONTENDS,
      makeBase: bases.make,
      sharedKey: sharedKeyOf(io.cwd, { root: settings.root, random: io.random }),
      clock: io.clock,
      random: io.random,
    });
    nodes.push({ name: endpoint.name, builder, connection, platforms: endpoint.platforms });
  }
  const [first] = nodes;
  const builder =
    nodes.length === 1 && first
      ? first.builder
      : severalBuilders(nodes, { clock: io.clock, join: (index, w) => joinIndex(index, { c, host, ...w }) });
  const kept = opened.move();
  return {
    builder,
    name: endpoints.map(({ name }) => name).join(', '),
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}
