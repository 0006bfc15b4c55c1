import { messageOf, tempFolder, withoutSecrets, type Wait } from '../../base/index.ts';
import type { BuildRequest, ImageMetadata } from '../../engine/index.ts';
import type { Frontend, PlannedImage } from '../../frontend/index.ts';
import { solveHere, toFailure, toPlan } from '../../gateway/index.ts';
import { formatPlatform, hostPlatform } from '../../image/index.ts';
import type { BuildHost } from '../../worker/index.ts';
import { fromWirePolicy } from '../../wire/buildkit/index.ts';
import { Code, type HandlerContext } from '../../wire/grpc/index.ts';
import type { SolveRequest } from '../../wire/gen/buildkit/control_pb.ts';
import { serveError } from '../errors.ts';
import { provenanceOf } from '../provenance.ts';
import type { Served } from '../served.ts';
import type { Build } from './build.ts';
import { cacheExports, cacheImports, CloudCaches } from './caches.ts';
import { clientHost, describeImports } from './client-host.ts';
import { exportPlan } from './exports.ts';
import { responseOf } from './response.ts';
import { uploadsOf } from './uploads.ts';

/** One build from request to exporter response; blocks until it has ended. */
export async function solve(
  request: SolveRequest,
  served: Served,
  context: HandlerContext,
): Promise<Record<string, string>> {
  const { builds, random, clock, records, log } = served;
  if (served.draining.aborted) throw serveError('SERVER_DRAINING', 'solve: the server is stopping');
  const build = builds.begin({ ref: request.Ref, newId: (n) => `${random.hex(12)}${n}` });
  const begun = clock.now();
  const { gone } = context.peer;
  const spans = request.Internal
    ? undefined
    : served.tracing?.begin({ title: titleOf(request), parent: context.headers.get('traceparent') });
  try {
    const asked = requestOf(request, served);
    build.policies = asked.request.sourcePolicies ?? [];
    const planned = new Map<string, PlannedImage>();
    if (!request.Internal) records.begin(request, begun);
    const session =
      request.Session === ''
        ? undefined
        : await served.sessions.get(request.Session, { signal: AbortSignal.any([context.signal, gone]) });
    using used = session && served.sessions.use(session);
    void used;
    const signal = AbortSignal.any([
      context.signal,
      gone,
      build.stopped,
      ...(session === undefined ? [] : [session.gone]),
    ]);
    using spool = new DisposableStack();
    if (session)
      build.upload = uploadsOf(session, { build, folder: () => spool.use(tempFolder(served.scratch, random)).path });
    const host = session ? clientHost(session.host, build.uploads) : hostless();
    const cacheFrom = await describeImports(asked.request.cacheFrom ?? [], host);
    const result = await build.run(served.engine, {
      frontend: noting(frontendOf(request, build), planned),
      request: { ...asked.request, cacheFrom },
      host: asked.clouds.offeredBy(host, served.cloud),
      signal,
      clock,
      spans,
    });
    for (const text of asked.warnings) log(text, { ref: request.Ref });
    served.counts.completed += 1;
    const response = responseOf(result, { exports: asked.request.exports, clock });
    const facts = {
      ref: request.Ref,
      frontend: request.Frontend,
      options: { ...request.FrontendAttrs, ...build.options },
      begun,
    };
    const made = new Map(
      [...planned].map(([key, image]) => {
        const told = result.images.find(({ platform }) => formatPlatform(platform) === key)?.statements ?? [];
        return [key, told.length > 0 ? told : [provenanceOf(image, facts)]] as const;
      }),
    );
    if (!request.Internal)
      records.complete(request.Ref, { at: clock.now(), build, response, made, trace: spans?.end() });
    return response;
  } catch (error) {
    const failure = toFailure(error, { texts: build.texts });
    build.steering.end(failure);
    served.counts[failure.code === Code.Canceled ? 'cancelled' : 'failed'] += 1;
    if (!request.Internal) records.fail(request.Ref, { at: clock.now(), build, failure, trace: spans?.end(error) });
    log(`build failed: ${messageOf(failure)}`, { ref: request.Ref });
    throw failure;
  } finally {
    served.counts.seconds += (clock.now() - begun) / 1000;
    builds.end(build);
    build.end();
    served.ended?.();
  }
}

/** What a build is of, in a few words. */
function titleOf({ FrontendAttrs: options, Frontend: frontend }: SolveRequest): string {
  return withoutSecrets(options['vcs:source'] ?? options['context'] ?? (frontend === '' ? 'build' : frontend));
}

/** Who plans: the client by LLBBridge, a frontend by its name, or the definition that came along. */
function frontendOf(request: SolveRequest, build: Build): Frontend {
  if (request.Frontend === '' && (request.Definition?.def.length ?? 0) === 0) return build.steering.frontend;
  const { steering } = build;
  const steered = steering.frontend;
  return async (asked, host, w) => {
    // The same road as a client's own call: solve, then return what came of it.
    const waiting = steered(asked, host, w);
    waiting.catch(() => undefined);
    const result = await solveHere(
      build,
      {
        definition: request.Definition,
        frontend: request.Frontend,
        options: request.FrontendAttrs,
        inputs: request.FrontendInputs,
        arrays: true,
      },
      w,
    );
    steering.return(await toPlan(result, { steering, platform: hostPlatform(process), signal: w?.signal }));
    return waiting;
  };
}

/** The frontend, with the images that it planned noted by their platform. */
function noting(frontend: Frontend, planned: Map<string, PlannedImage>): Frontend {
  return async (asked, host, w) => {
    const plan = await frontend(asked, host, w);
    for (const [key, image] of plan.results) planned.set(key, image);
    return plan;
  };
}

const PROVENANCE: readonly string[] = ['attest:provenance', 'build-arg:BUILDKIT_ATTEST_PROVENANCE'];

/** What is to be said about the images, of all options of the client's frontend. Provenance is of the version that clients of today read back, where they name none. */
function attestOptions(options: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  const asked = Object.entries(options).filter(([name]) => /^(?:attest:|build-arg:BUILDKIT_ATTEST_)/.test(name));
  return Object.fromEntries(
    asked.map(([name, value]) => {
      const isBare = value === '' || value === 'true';
      const versioned = /(?:^|,)version=/.test(value) || value === 'false';
      if (!PROVENANCE.includes(name) || versioned) return [name, value];
      return [name, isBare ? 'version=v0.2' : `${value},version=v0.2`];
    }),
  );
}

function requestOf(
  request: SolveRequest,
  served: Served,
): {
  readonly request: BuildRequest & ImageMetadata;
  readonly clouds: CloudCaches;
  readonly warnings: readonly string[];
} {
  // A rule about sources that was dropped would let in what it keeps out.
  if (request.SourcePolicySession !== '')
    throw serveError('SOLVE_UNSUPPORTED', 'solve with a source policy that the client decides on: not supported', {
      remedy: 'Give the policy as a file (EXPERIMENTAL_BUILDKIT_SOURCE_POLICY).',
    });
  if (request.ProxyNetwork)
    throw serveError('SOLVE_UNSUPPORTED', 'solve with a proxy for the network of steps: not supported yet');
  const exporters =
    request.Exporters.length > 0 || request.ExporterDeprecated === ''
      ? request.Exporters
      : [{ Type: request.ExporterDeprecated, Attrs: request.ExporterAttrsDeprecated }];
  const plan = exportPlan(exporters.filter(({ Type }) => Type !== ''));
  for (const name of request.Entitlements)
    if (!served.entitlements.has(name))
      throw serveError(
        'ENTITLEMENT_DENIED',
        `granting entitlement ${name} is not allowed by build daemon configuration`,
      );
  const { Cache: cache } = request;
  const legacy = (cache?.ImportRefsDeprecated ?? []).map((ref) => ({ Type: 'registry', Attrs: { ref } }));
  const target = cache?.ExportRefDeprecated
    ? [{ Type: 'registry', Attrs: { ...cache.ExportAttrsDeprecated, ref: cache.ExportRefDeprecated } }]
    : [];
  const clouds = new CloudCaches();
  return {
    clouds,
    request: {
      frontend: 'steered',
      options: attestOptions(request.FrontendAttrs),
      told: { frontend: request.Frontend || 'dockerfile.v0', options: request.FrontendAttrs },
      platforms: [],
      exports: plan.exports,
      annotations: plan.annotations,
      rewriteTimestamp: plan.rewriteTimestamp === true,
      epoch: plan.epoch,
      allow: request.Entitlements,
      sourcePolicies: request.SourcePolicy ? [fromWirePolicy(request.SourcePolicy)] : undefined,
      cacheFrom: cacheImports(
        [...(cache?.Imports ?? []), ...legacy, ...namedImports(request.FrontendAttrs['cache-imports'])],
        clouds,
      ),
      cacheTo: cacheExports([...(cache?.Exports ?? []), ...target], clouds),
    },
    warnings: plan.unknown.map((name) => `exporter attribute not known: ${name}`),
  };
}

/** `cache-imports` of a frontend's options: JSON. */
function namedImports(text: string | undefined): { Type: string; Attrs: Record<string, string> }[] {
  if (text === undefined || text === '') return [];
  try {
    const entries = JSON.parse(text) as readonly { Type?: string; Attrs?: Record<string, string> }[];
    return entries.map(({ Type = '', Attrs = {} }) => ({ Type, Attrs }));
  } catch (error) {
    throw serveError('CACHE_INVALID', `read option "cache-imports": ${messageOf(error)}`, { cause: error });
  }
}

/** A build whose client opened no session: it has no files, logins or secrets. */
function hostless(): BuildHost {
  const absent = (what: string): never => {
    throw serveError('SESSION_UNKNOWN', `use ${what}: the build has no session`);
  };
  return {
    elsewhere: true,
    files: (name) => absent(`files "${name}"`),
    secret: async () => undefined,
    agent: async (id: string, _w?: Wait) => absent(`ssh agent "${id}"`),
    credentials: async () => undefined,
    blobs: (store) => absent(`blobs "${store}"`),
    sink: (name) => absent(`output "${name}"`),
  };
}
