import { CodedError, hasCode } from '../base/index.ts';
import { canonicalReference, hostPlatform, parseReference } from '../image/index.ts';
import type { Source, SourceOp } from '../graph/index.ts';
import { goMatch, type Entry } from '../tree/index.ts';
import type { Container } from '../frontend/index.ts';
import { decodeSource, encodeSource, fromWirePlatform, fromWirePolicy, policedSource } from '../wire/buildkit/index.ts';
import { toStat } from './stat.ts';
import {
  create,
  StatusError,
  timestampFromMs,
  type Code,
  type HandlerContext,
  type ServiceImpl,
} from '../wire/grpc/index.ts';
import {
  EvaluateResponseSchema,
  NewContainerResponseSchema,
  ReleaseContainerResponseSchema,
  type FileRange,
  type LLBBridge,
  PongResponseSchema,
  ReadDirResponseSchema,
  ReadFileResponseSchema,
  ResolveImageConfigResponseSchema,
  ResolveSourceMetaResponseSchema,
  ReturnResponseSchema,
  SolveResponseSchema,
  StatFileResponseSchema,
  WarnResponseSchema,
  InputsResponseSchema,
} from '../wire/gen/buildkit/gateway_pb.ts';
import type { Policy } from '../wire/gen/buildkit/source-policy_pb.ts';
import type { WorkerRecord } from '../wire/gen/buildkit/worker_pb.ts';
import type { Stat } from '../wire/gen/buildkit/fsutil_pb.ts';
import { containerOf, newContainer, pathIn, releaseContainer } from './containers.ts';
import { gatewayError } from './errors.ts';
import { execProcess } from './exec-process.ts';
import { failedDetails } from './failed-details.ts';
import { toFailure } from './failure.ts';
import { frontendCaps, graphCaps } from './caps.ts';
import { toPlan } from './results.ts';
import { solveHere } from './solve-call.ts';
import type { Steered } from './steered.ts';

const BUILD_ID = 'buildkit-controlapi-buildid';

/** What all builds behind one bridge share. */
export interface BridgeParts {
  readonly workers: () => readonly WorkerRecord[];
}

/** LLBBridge for clients of a server: each call says by a header which build it steers. */
export function bridgeService(
  parts: BridgeParts,
  find: (ref: string, context: HandlerContext) => Promise<Steered>,
): Partial<ServiceImpl<typeof LLBBridge>> {
  return bridgeOf(parts, async (context) => {
    const ref = context.headers.get(BUILD_ID) ?? '';
    if (ref === '') throw gatewayError('BUILD_UNKNOWN', 'call the gateway: no buildid found in context');
    return find(ref, context);
  });
}

/** LLBBridge of the build that `find` gives. */
export function bridgeOf(
  parts: BridgeParts,
  find: (context: HandlerContext) => Promise<Steered>,
): Partial<ServiceImpl<typeof LLBBridge>> {
  /** A call on a build; what goes wrong carries the place in the file. */
  const on = async <T>(context: HandlerContext, work: (build: Steered) => Promise<T>): Promise<T> => {
    const build = await find(context);
    try {
      return await work(build);
    } catch (error) {
      throw toFailure(error, { texts: build.texts, details: failedDetails(build.steering, error) });
    }
  };
  /** A question about files of a container. */
  const inContainer = async <T>(
    { Ref, MountIndex }: { readonly Ref: string; readonly MountIndex: number },
    context: HandlerContext,
    work: (container: Container, at: (path: string) => string) => Promise<T>,
  ): Promise<T> =>
    on(context, async ({ steering }) => {
      const held = await containerOf(steering, Ref);
      return work(held.container, (path) => pathIn(held, MountIndex, path));
    });
  return {
    ping: (_, context) =>
      on(context, async () =>
        create(PongResponseSchema, {
          FrontendAPICaps: frontendCaps(),
          LLBCaps: graphCaps(),
          Workers: [...parts.workers()],
        }),
      ),
    solve: (request, context) =>
      on(context, async (build) => {
        const result = await solveHere(
          build,
          {
            definition: request.Definition,
            frontend: request.Frontend,
            options: request.FrontendOpt,
            inputs: request.FrontendInputs,
            policies: request.SourcePolicies.map(fromWirePolicy),
            arrays: request.allowResultArrayRef,
          },
          { signal: context.signal },
        );
        if (request.Evaluate)
          for (const id of idsOf(result)) await build.steering.solved(id, { signal: context.signal });
        if (request.Final) {
          const { steering } = build;
          steering.return(await toPlan(result, { steering, platform: native(), signal: context.signal }));
        }
        const { result: one } = result;
        const ref = !request.allowResultReturn && one.case === 'refDeprecated' ? one.value : '';
        return create(SolveResponseSchema, { result, ref });
      }),
    return: (request, context) =>
      on(context, async (build) => {
        const { error, result } = request;
        if (error && error.code !== 0)
          build.steering.fail(
            new StatusError(error.code as Code, error.message, {
              details: error.details.map(({ typeUrl, value }) => ({ typeUrl, value })),
            }),
          );
        else {
          await build.steering.engaged({ signal: context.signal });
          const { steering } = build;
          steering.return(await toPlan(result, { steering, platform: native(), signal: context.signal }));
        }
        return create(ReturnResponseSchema);
      }),
    evaluate: ({ Ref }, context) =>
      on(context, async (build) => {
        if (Ref !== '') await build.steering.solved(Ref, { signal: context.signal });
        return create(EvaluateResponseSchema);
      }),
    readFile: ({ Ref, FilePath, Range }, context) =>
      on(context, async (build) => {
        const { ref, host } = await build.steering.solved(Ref, { signal: context.signal });
        const data = await fileSystem(FilePath, () => host.read(ref, FilePath, { signal: context.signal }));
        return create(ReadFileResponseSchema, { Data: partOf(data, Range) });
      }),
    readDir: ({ Ref, DirPath, IncludePattern }, context) =>
      on(context, async (build) => {
        const { ref, host } = await build.steering.solved(Ref, { signal: context.signal });
        const entries = await fileSystem(DirPath, () => host.list(ref, DirPath, { signal: context.signal }));
        return create(ReadDirResponseSchema, { entries: listed(entries, IncludePattern) });
      }),
    statFile: ({ Ref, Path }, context) =>
      on(context, async (build) => {
        const { ref, host } = await build.steering.solved(Ref, { signal: context.signal });
        const entry = await fileSystem(Path, () => host.stat(ref, Path, { signal: context.signal }));
        return create(StatFileResponseSchema, { stat: statOf(entry, Path) });
      }),
    resolveImageConfig: (request, context) =>
      on(context, async (build) => {
        const { host } = await build.steering.engaged({ signal: context.signal });
        const platform = request.Platform ? fromWirePlatform(request.Platform) : native();
        const { source, digest, config } = await host.resolve(
          asked(imageSource(request.Ref, { platform, mode: request.ResolveMode }), request.SourcePolicies),
          { signal: context.signal },
        );
        const { source: found } = source;
        return create(ResolveImageConfigResponseSchema, {
          Digest: digest ?? '',
          Config: config ?? new Uint8Array(),
          Ref: found.type === 'image' ? found.reference : request.Ref,
        });
      }),
    resolveSourceMeta: (request, context) =>
      on(context, async (build) => {
        if (!request.Source) throw gatewayError('SOLVE_INVALID', 'resolve a source: there is none');
        const { host } = await build.steering.engaged({ signal: context.signal });
        const platform = request.Platform ? fromWirePlatform(request.Platform) : native();
        const wanted = decodeSource(request.Source, { platform });
        const pulled = wanted.type === 'image' ? { ...wanted, pull: pullOf(request.ResolveMode) } : wanted;
        const found = await host.resolve(asked(pulled, request.SourcePolicies), { signal: context.signal });
        const { source } = found.source;
        const checksum = source.type === 'git' ? (source.commit ?? '') : (found.digest ?? '');
        const encoded = encodeSource(source);
        return create(ResolveSourceMetaResponseSchema, {
          Source: { identifier: encoded.identifier, attrs: encoded.attrs },
          ...((source.type === 'image' || source.type === 'oci-layout') && {
            Image: {
              Digest: found.digest ?? '',
              ...(!request.Image?.NoConfig && { Config: found.config ?? new Uint8Array() }),
            },
          }),
          ...(source.type === 'git' && {
            Git: { Checksum: checksum, CommitChecksum: checksum, Ref: source.ref ?? '' },
          }),
          ...(source.type === 'http' && {
            HTTP: {
              Checksum: source.checksum ?? checksum,
              Filename: source.filename ?? '',
              ...(found.time !== undefined && { LastModified: timestampFromMs(found.time * 1000) }),
            },
          }),
        });
      }),
    newContainer: (request, context) =>
      on(context, async ({ steering }) => {
        await newContainer(steering, request, { signal: context.signal });
        return create(NewContainerResponseSchema);
      }),
    releaseContainer: ({ ContainerID }, context) =>
      on(context, async ({ steering }) => {
        await releaseContainer(steering, ContainerID);
        return create(ReleaseContainerResponseSchema);
      }),
    execProcess: async function* (requests, context) {
      const { steering } = await find(context);
      yield* execProcess(steering, requests, { signal: context.signal });
    },
    readFileContainer: (request, context) =>
      inContainer(request, context, async (container, at) => {
        const path = at(request.FilePath);
        const data = await fileSystem(path, () => container.read(path, { signal: context.signal }));
        return create(ReadFileResponseSchema, { Data: partOf(data, request.Range) });
      }),
    readDirContainer: (request, context) =>
      inContainer(request, context, async (container, at) => {
        const path = at(request.DirPath);
        const entries = await fileSystem(path, () => container.list(path, { signal: context.signal }));
        return create(ReadDirResponseSchema, { entries: listed(entries, request.IncludePattern) });
      }),
    statFileContainer: (request, context) =>
      inContainer(request, context, async (container, at) => {
        const path = at(request.Path);
        const entry = await fileSystem(path, () => container.stat(path, { signal: context.signal }));
        return create(StatFileResponseSchema, { stat: statOf(entry, request.Path) });
      }),
    inputs: (_, context) =>
      on(context, async (build) => create(InputsResponseSchema, { Definitions: build.inputs?.() ?? {} })),
    warn: (request, context) =>
      on(context, async (build) => {
        build.warn(request);
        return create(WarnResponseSchema);
      }),
  };
}

const native = (): ReturnType<typeof hostPlatform> => hostPlatform(process);

function idsOf(result: Awaited<ReturnType<typeof solveHere>>): readonly string[] {
  switch (result.result.case) {
    case 'ref':
      return [result.result.value.id];
    case 'refDeprecated':
      return [result.result.value];
    case 'refs':
      return Object.values(result.result.value.refs).map(({ id }) => id);
    case 'refsDeprecated':
      return Object.values(result.result.value.refs);
    default:
      return [];
  }
}

/** A source under the policies of one call. */
function asked(source: Source, policies: readonly Policy[]): SourceOp {
  return { kind: 'source', source: policedSource(source, policies.map(fromWirePolicy)) };
}

function partOf(data: Uint8Array, range: FileRange | undefined): Uint8Array {
  if (!range) return data;
  const from = Number(range.Offset);
  const length = Number(range.Length);
  return data.subarray(from, length > 0 ? from + length : undefined);
}

function listed(entries: readonly Entry[], pattern: string): Stat[] {
  return entries
    .map((entry) => ({ entry, name: entry.path.slice(entry.path.lastIndexOf('/') + 1) }))
    .filter(({ name }) => pattern === '' || goMatch(pattern, name))
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .map(({ entry, name }) => toStat({ ...entry, path: name }));
}

function statOf(entry: Entry | undefined, path: string): Stat {
  if (!entry) throw gatewayError('REF_UNKNOWN', `lstat ${path}: no such file or directory`);
  return toStat({ ...entry, path: path.replace(/\/+$/, '').split('/').at(-1) ?? '' });
}

/** What is not in a tree is told as a file system would. */
async function fileSystem<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof CodedError && error.kind === 'not_found' && !hasCode(error, 'REF_UNKNOWN'))
      throw gatewayError('REF_UNKNOWN', `open ${path}: no such file or directory`, { cause: error });
    throw error;
  }
}

function imageSource(
  ref: string,
  o: { readonly platform: ReturnType<typeof hostPlatform>; readonly mode: string },
): Extract<SourceOp['source'], { type: 'image' }> {
  return {
    type: 'image',
    reference: canonicalReference(parseReference(ref)),
    platform: o.platform,
    pull: pullOf(o.mode),
  };
}

function pullOf(mode: string): 'always' | 'never' | 'missing' {
  if (mode === 'pull') return 'always';
  return mode === 'local' ? 'never' : 'missing';
}
