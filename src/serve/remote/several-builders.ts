import { Channel, CodedError, kindOf, messageOf, throwIfCancelled, type Clock, type Wait } from '../../base/index.ts';
import type { Descriptor, Platform } from '../../blob/index.ts';
import type {
  Builder,
  BuildEvent,
  BuildRequest,
  BuildResult,
  ExportRequest,
  ImageMetadata,
} from '../../engine/index.ts';
import { formatPlatform } from '../../image/index.ts';
import type { RemoteConnection } from './connection.ts';
import { remoteError } from './errors.ts';
import { askRemote } from './workers.ts';

/** One of several daemons that serve a build together. */
export interface NodeBuilder {
  readonly name: string;
  readonly builder: Builder;
  readonly connection: RemoteConnection;
  /** It builds only for these. Empty: for what it says. */
  readonly platforms: readonly Platform[];
}

type RegistryExport = Extract<ExportRequest, { readonly type: 'registry' }>;

/** What the nodes pushed, to be made one index under the names of an export. */
export interface JoinedIndex {
  readonly export: RegistryExport;
  readonly members: readonly { readonly node: string; readonly descriptor: Descriptor }[];
  readonly annotations: ImageMetadata['annotations'];
}

type Request = BuildRequest & ImageMetadata;

/**
 * A builder over several daemons: each builds the platforms that are its own (else those it says it can), and what they push becomes one index. A build for one platform goes to one of them. Throws `REMOTE_NO_NODE`,
 * `REMOTE_UNSUPPORTED` for outputs other than registries, and what daemons say, with their names.
 */
export function severalBuilders(
  nodes: readonly NodeBuilder[],
  o: { readonly clock: Clock; readonly join: (index: JoinedIndex, w: Wait) => Promise<Descriptor> },
): Builder {
  return {
    async *build(asked, host, w = {}) {
      throwIfCancelled(w);
      const shares = await shareOut(nodes, asked, w);
      const [only] = shares;
      if (shares.length === 1 && only) {
        yield* only.node.builder.build(asked, host, w);
        return;
      }
      // A name is kept by the daemon as well as pushed; of an index no daemon has all.
      const isPushed = asked.exports.some(({ type }) => type === 'registry');
      const exports = asked.exports.filter(({ type }) => !isPushed || type !== 'store');
      const request = { ...asked, exports };
      for (const e of request.exports)
        if (e.type !== 'registry')
          throw remoteError(
            'REMOTE_UNSUPPORTED',
            `write "${e.type}" from ${shares.length} nodes: their images meet in a registry only`,
            {
              remedy: 'Push it (--push), or build for the platforms of one node.',
            },
          );
      const events = new Channel<BuildEvent>();
      const leaving = new AbortController();
      const signal = w.signal ? AbortSignal.any([w.signal, leaving.signal]) : leaving.signal;
      const run = async ({ node, platforms }: Share): Promise<BuildResult> => {
        try {
          let result: BuildResult | undefined;
          for await (const event of node.builder.build(partOf(request, platforms), host, { signal })) {
            if (event.kind === 'result') ({ result } = event);
            else events.push(ofNode(event, node.name));
          }
          if (!result) throw remoteError('REMOTE_INVALID', 'the build ended without a result');
          return result;
        } catch (error) {
          leaving.abort(remoteError('REMOTE_ENDED', `node "${node.name}" failed`));
          throw told(error, node.name);
        }
      };
      const work = (async (): Promise<void> => {
        try {
          const settled = await Promise.allSettled(shares.map((share) => run(share)));
          const failures = settled.flatMap((one) => (one.status === 'rejected' ? [one.reason as unknown] : []));
          if (w.signal?.aborted) throw w.signal.reason;
          if (failures.length > 0) throw failures.find((error) => kindOf(error) !== 'cancelled') ?? failures[0];
          const results = settled.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
          events.push({
            kind: 'result',
            at: o.clock.now(),
            result: await joined(results, { request, shares, signal, ...o }),
          });
          events.end();
        } catch (error) {
          events.end({ error });
        }
      })();
      try {
        yield* events;
      } finally {
        leaving.abort(remoteError('REMOTE_ENDED', 'the build was left'));
        await work;
      }
    },
  };
}

interface Share {
  readonly node: NodeBuilder;
  readonly platforms: readonly Platform[];
}

/** Which node builds which platforms: one whose own it is before one that can run it. */
async function shareOut(nodes: readonly NodeBuilder[], request: Request, w: Wait): Promise<readonly Share[]> {
  const [first] = nodes;
  if (!first) throw remoteError('REMOTE_NO_NODE', 'build: no node was named');
  if (request.platforms.length === 0) return [{ node: first, platforms: [] }];
  const offers = await Promise.all(
    nodes.map(async (node) => {
      const platforms =
        node.platforms.length > 0
          ? node.platforms
          : ((await askRemote(node.connection, w)).workers[0]?.platforms ?? []);
      return { node, platforms: platforms.map((platform) => formatPlatform(platform)) };
    }),
  );
  const shares = new Map<NodeBuilder, Platform[]>();
  for (const platform of request.platforms) {
    const wanted = formatPlatform(platform);
    const found =
      offers.find(({ platforms }) => platforms[0] === wanted) ??
      offers.find(({ platforms }) => platforms.includes(wanted));
    if (!found)
      throw remoteError('REMOTE_NO_NODE', `build for "${wanted}": none of the nodes builds for it`, {
        remedy: `They build for: ${offers.map(({ node, platforms }) => `${node.name}: ${platforms.join(', ') || 'nothing'}`).join('; ')}.`,
      });
    const share = shares.get(found.node);
    if (share) share.push(platform);
    else shares.set(found.node, [platform]);
  }
  return [...shares].map(([node, platforms]) => ({ node, platforms }));
}

/** The same build for some of its platforms, pushed under no name: by digest. */
function partOf(request: Request, platforms: readonly Platform[]): Request {
  const exports = request.exports.map((e) => ({ ...e, byDigest: true }));
  const options = { ...request.options, platform: platforms.map((platform) => formatPlatform(platform)).join(',') };
  const annotations = request.annotations.filter(
    ({ level }) => level === 'manifest' || level === 'manifest-descriptor',
  );
  return { ...request, platforms, options, exports, annotations };
}

async function joined(
  results: readonly BuildResult[],
  o: {
    readonly request: Request;
    readonly shares: readonly Share[];
    readonly join: (index: JoinedIndex, w: Wait) => Promise<Descriptor>;
  } & Wait,
): Promise<BuildResult> {
  const { request, shares, join, signal } = o;
  const written: { readonly export: number; readonly descriptor: Descriptor; readonly names: readonly string[] }[] = [];
  for (const [at, e] of request.exports.entries()) {
    if (e.type !== 'registry') continue;
    const members = results.flatMap((result, of) => {
      const descriptor = result.images[0]?.manifests.find((one) => one.export === at)?.descriptor;
      return descriptor ? [{ node: shares[of]?.node.name ?? '', descriptor }] : [];
    });
    const descriptor = await join({ export: e, members, annotations: request.annotations }, { signal });
    written.push({ export: at, descriptor, names: e.names });
  }
  const images = results.flatMap((result) => result.images.map((image) => ({ ...image, manifests: written })));
  const metadata: Record<string, unknown> = {};
  const [first] = written;
  if (first) {
    metadata['containerimage.digest'] = first.descriptor.digest;
    metadata['containerimage.descriptor'] = first.descriptor;
    metadata['image.name'] = [...new Set(written.flatMap(({ names }) => names))].join(',');
  }
  return { images, metadata };
}

/** What a node tells, with its name. */
function ofNode(event: BuildEvent, node: string): BuildEvent {
  if (!('id' in event)) return event;
  const id = `${node} ${event.id}`;
  if (event.kind !== 'vertex') return { ...event, id };
  const name = event.name.startsWith('[') ? `[${node} ${event.name.slice(1)}` : `[${node}] ${event.name}`;
  return { ...event, id, name, inputs: event.inputs.map((input) => `${node} ${input}`) };
}

function told(error: unknown, node: string): unknown {
  if (!(error instanceof CodedError))
    return remoteError('REMOTE_INVALID', `node "${node}": ${messageOf(error)}`, { cause: error });
  const { code, kind, message, remedy, place } = error;
  return new CodedError({ code, kind, message: `node "${node}": ${message}`, remedy, place, cause: error });
}
