import { CodedError, hasCode } from '../base/index.ts';
import { canonicalReference, hostPlatform, parseReference } from '../image/index.ts';
import type { Source, SourceOp } from '../graph/index.ts';
import { goMatch } from '../tree/index.ts';
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
import { gatewayError } from './errors.ts';
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
      throw toFailure(error, { texts: build.texts });
    }
  };
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
        if (!Range) return create(ReadFileResponseSchema, { Data: data });
        const from = Number(Range.Offset);
        const length = Number(Range.Length);
        return create(ReadFileResponseSchema, {
          Data: data.subarray(from, length > 0 ? from + length : undefined),
        });
      }),
    readDir: ({ Ref, DirPath, IncludePattern }, context) =>
      on(context, async (build) => {
        const { ref, host } = await build.steering.solved(Ref, { signal: context.signal });
        const entries = await fileSystem(DirPath, () => host.list(ref, DirPath, { signal: context.signal }));
        const named = entries
          .map((entry) => ({ entry, name: entry.path.slice(entry.path.lastIndexOf('/') + 1) }))
          .filter(({ name }) => IncludePattern === '' || goMatch(IncludePattern, name))
          .sort((a, b) => (a.name < b.name ? -1 : 1));
        return create(ReadDirResponseSchema, {
          entries: named.map(({ entry, name }) => toStat({ ...entry, path: name })),
        });
      }),
    statFile: ({ Ref, Path }, context) =>
      on(context, async (build) => {
        const { ref, host } = await build.steering.solved(Ref, { signal: context.signal });
        const entry = await fileSystem(Path, () => host.stat(ref, Path, { signal: context.signal }));
        if (!entry) throw gatewayError('REF_UNKNOWN', `lstat ${Path}: no such file or directory`);
        const name = Path.replace(/\/+$/, '').split('/').at(-1) ?? '';
        return create(StatFileResponseSchema, { stat: toStat({ ...entry, path: name }) });
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
