import { hasCode, type Wait } from '../base/index.ts';
import { hostPlatform, parsePlatform } from '../image/index.ts';
import { sourceState, type SourcePolicy, type State } from '../graph/index.ts';
import type { FrontendHost, FrontendRequest, PlannedImage } from '../frontend/index.ts';
import { decodeDefinition, encodeState, type DecodeOptions } from '../wire/buildkit/index.ts';
import { create } from '../wire/grpc/index.ts';
import { RefSchema, ResultSchema, type Ref, type Result } from '../wire/gen/buildkit/gateway_pb.ts';
import type { Definition } from '../wire/gen/buildkit/ops_pb.ts';
import { gatewayError } from './errors.ts';
import { frontendName } from './frontend-name.ts';
import { toResult } from './results.ts';
import type { Steered } from './steered.ts';
import type { Held } from './steering.ts';

export interface SolveCall {
  readonly definition: Definition | undefined;
  readonly frontend: string;
  readonly options: Readonly<Record<string, string>>;
  readonly inputs: Readonly<Record<string, Definition>>;
  /** What its sources may be besides what those of the build may be. */
  readonly policies?: readonly SourcePolicy[] | undefined;
  /** Refs come with their definitions. */
  readonly arrays: boolean;
}

/** A solve inside a build: of a definition, or by a frontend that runs here. Nothing is run before something asks for it. */
export async function solveHere(build: Steered, call: SolveCall, w: Wait = {}): Promise<Result> {
  const { steering } = build;
  const { host, signal } = await steering.engaged(w);
  const both = { signal: w.signal ? AbortSignal.any([w.signal, signal]) : signal };
  const hold = (held: Held): Ref =>
    create(RefSchema, { id: steering.hold(held), ...(call.arrays && { def: definitionOf(held.state) }) });
  if (call.definition && call.definition.def.length > 0) {
    const decoded = await decodeDefinition(call.definition, {
      ...decoding(host, both),
      policies: [...(build.policies ?? []), ...(call.policies ?? [])],
    });
    steering.know(decoded);
    const ref = hold({ state: decoded.root });
    return create(ResultSchema, {
      result: call.arrays ? { case: 'ref', value: ref } : { case: 'refDeprecated', value: ref.id },
    });
  }
  if (call.frontend === '') return create(ResultSchema);
  const frontend = frontendName(call.frontend, call.options);
  build.options = call.options;
  const inputs = new Map<string, State | PlannedImage>();
  for (const [name, definition] of Object.entries(call.inputs)) {
    const decoded = await decodeDefinition(definition, { ...decoding(host, both), policies: build.policies });
    steering.know(decoded);
    inputs.set(name, decoded.root);
  }
  const uploaded = await uploadedContext(build, call.options, both);
  if (uploaded) inputs.set('context', uploaded.state);
  const request = { ...requestOf(uploaded ? { ...call, options: uploaded.options } : call), depth: build.depth ?? 0 };
  try {
    const plan = await host.call(frontend, request, { ...both, ...(inputs.size > 0 && { inputs }) });
    await rememberText(build, { host, options: call.options });
    return toResult(plan, { hold, arrays: call.arrays });
  } catch (error) {
    await rememberText(build, { host, options: call.options });
    if (hasCode(error, 'FRONTEND_UNKNOWN'))
      throw gatewayError('FRONTEND_UNSUPPORTED', `frontend ${call.frontend} not found`, { cause: error });
    throw error;
  }
}

/** A context that came through the client's standard input: an archive at an address in its session. */
async function uploadedContext(
  build: Steered,
  options: Readonly<Record<string, string>>,
  w: Wait,
): Promise<{ readonly state: State; readonly options: Readonly<Record<string, string>> } | undefined> {
  const key = options['contextkey'] || 'context';
  const address = options[key] ?? '';
  if (!address.startsWith('http://buildkit-session/') || !build.upload) return undefined;
  const name = await build.upload(new URL(address), w);
  const { [key]: _, ...rest } = options;
  const state = sourceState({ type: 'local', name }, { name: '[internal] load remote build context' });
  return { state, options: rest };
}

function decoding(host: FrontendHost, w: Wait): DecodeOptions {
  return {
    platform: hostPlatform(process),
    readDefinition: async (state, path, o) => host.read(await host.solve(state, o), path, o),
    ...w,
  };
}

function requestOf({ options }: SolveCall): FrontendRequest {
  const native = hostPlatform(process);
  const asked = (options['platform'] ?? '').split(',').filter((text) => text !== '');
  return {
    options,
    platforms: asked.length > 0 ? asked.map((text) => parsePlatform(text, native)) : [native],
    buildPlatform: native,
  };
}

/** Definitions let a client hand a ref on to another build; a tree that LLB has no words for has none. */
function definitionOf(state: State): Definition | undefined {
  if (state.isScratch) return undefined;
  try {
    return encodeState(state).definition;
  } catch {
    return undefined;
  }
}

/** Keeps the Dockerfile, so that clients can show the lines around the one that failed. It has been sent already: the step is the frontend's own. */
async function rememberText(
  build: Steered,
  o: { readonly host: FrontendHost; readonly options: Readonly<Record<string, string>> },
): Promise<void> {
  const filename = o.options['filename'] || 'Dockerfile';
  if (build.texts.has(filename) || (o.options[o.options['contextkey'] || 'context'] ?? '') !== '') return;
  const folder = filename.slice(0, filename.lastIndexOf('/') + 1);
  const isDefault = filename === `${folder}Dockerfile`;
  const paths = [filename, `${filename}.dockerignore`, ...(isDefault ? [`${folder}dockerfile`] : [])];
  try {
    const name = o.options['dockerfilekey'] || 'dockerfile';
    const state = sourceState(
      { type: 'local', name, include: paths, follow: paths },
      { name: `[internal] load build definition from ${filename}`, internal: true },
    );
    build.texts.set(filename, Buffer.from(await o.host.read(await o.host.solve(state), filename)).toString());
  } catch {
    // Only the excerpt is smaller without it.
  }
}
