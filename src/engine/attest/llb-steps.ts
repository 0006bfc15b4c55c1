import { hasCode } from '../../base/index.ts';
import { digestOf, type Descriptor, type Digest } from '../../blob/index.ts';
import { sourceState, type Source, type State, type Vertex } from '../../graph/index.ts';
import { unlessEmpty, type GoValue } from '../../image/index.ts';
import type { BuildConfig } from '../../supply/index.ts';
import { encodeState } from '../../wire/buildkit/index.ts';
import { OpSchema, type Op } from '../../wire/gen/buildkit/ops_pb.ts';
import { fromBinary, type DescMessage } from '../../wire/grpc/index.ts';

type DescField = DescMessage['fields'][number];

/** A layer by what made it. */
export interface MadeLayer {
  /** The vertex that a layer chain ends with. */
  readonly vertex: Digest;
  /** All layers up to it, the lowest first. */
  readonly chain: readonly Descriptor[];
}

/**
 * The steps of a state by BuildKit's words and names: `step0`… in the order of BuildKit's provenance (solver/llbsolver/provenance/buildconfig.go), depth first; where they were written, the texts of those files as far as they were read, and
 * what layers came of them. Undefined for a state that BuildKit has no words for.
 */
export function llbSteps(
  root: State,
  o: { readonly texts: ReadonlyMap<string, string>; readonly layers: readonly MadeLayer[] },
): BuildConfig | undefined {
  let encoded: ReturnType<typeof encodeState>;
  try {
    encoded = encodeState(root, { replace: ofBuildKit });
  } catch (error) {
    if (hasCode(error, 'LLB_UNSUPPORTED')) return undefined;
    throw error;
  }
  const ops = new Map(encoded.definition.def.map((bytes) => [digestOf(bytes), fromBinary(OpSchema, bytes)]));
  const [last] = [...ops.keys()].slice(-1);
  if (last === undefined) return undefined;
  const names = new Map(inOrder(ops, last).map((digest, at) => [digest, `step${at}`]));
  const steps: GoValue[] = [];
  const locations: Record<string, GoValue> = {};
  const files = new Set<string>();
  for (const [digest, id] of names) {
    const op = ops.get(digest) as Op;
    const inputs = op.inputs.map((input) => `${names.get(input.digest as Digest) ?? ''}:${input.index}`);
    steps.push(struct({ id, op: opValue(op), inputs: inputs.length > 0 ? inputs : undefined }));
    const place = encoded.vertexOf(digest)?.label.place;
    if (!place || !o.texts.has(place.file)) continue;
    files.add(place.file);
    locations[id] = locationOf(place, [...files].indexOf(place.file));
  }
  const layers = Object.fromEntries(
    o.layers.flatMap(({ vertex, chain }) => {
      const id = names.get((encoded.wireOf(vertex) ?? '') as Digest);
      return id === undefined ? [] : [[`${id}:0`, [chain.map(layerValue)]] as const];
    }),
  );
  return {
    steps,
    digests: Object.fromEntries(names),
    locations,
    layers,
    files: [...files].map((name) => ({ name, language: 'Dockerfile', text: o.texts.get(name) ?? '' })),
  };
}

/** Bases of packages and archives go by the image that they are here. */
function ofBuildKit(source: Source): State | undefined {
  if (source.type === 'packages') {
    const { reference, platform, lock } = source;
    const name = lock === undefined ? reference : `${reference}@${lock}`;
    return sourceState({ type: 'image', reference: name, platform, pull: 'missing' }, { name });
  }
  if (source.type === 'archive') return sourceState({ type: 'local', name: 'context' }, { name: 'context' });
  return undefined;
}

/** Every op after its inputs, these in order. */
function inOrder(ops: ReadonlyMap<Digest, Op>, last: Digest): readonly Digest[] {
  const done = new Set<Digest>();
  const stack = [last];
  for (let digest = stack.at(-1); digest !== undefined; digest = stack.at(-1)) {
    const waiting = (ops.get(digest)?.inputs ?? [])
      .map((input) => input.digest as Digest)
      .find((one) => !done.has(one));
    if (waiting === undefined) {
      done.add(digest);
      stack.pop();
    } else stack.push(waiting);
  }
  return [...done];
}

function struct(members: Readonly<Record<string, GoValue | undefined>>): GoValue {
  return new Map(Object.entries(members));
}

/** An op as BuildKit's JSON has it (solver/pb/json.go): members by their names in ops.proto, what is chosen of several under the name of the choice. */
function opValue(op: Op): GoValue {
  return messageValue(OpSchema, { ...op, inputs: [] });
}

function messageValue(schema: DescMessage, message: Readonly<Record<string, unknown>>): GoValue {
  const members: Record<string, GoValue | undefined> = {};
  for (const { name } of schema.oneofs) members[titled(name)] = {};
  for (const field of schema.fields) {
    if (!field.oneof) {
      const value = fieldValue(field, message[field.localName]);
      members[field.name] = schema.name === 'FileAction' ? value : unlessEmpty(value);
      continue;
    }
    const chosen = message[field.oneof.localName] as { readonly case?: string; readonly value?: unknown } | undefined;
    if (chosen?.case === field.localName)
      members[titled(field.oneof.name)] = { [field.name]: fieldValue(field, chosen.value) };
  }
  return struct(members);
}

function fieldValue(field: DescField, value: unknown): GoValue | undefined {
  if (value === undefined) return undefined;
  const one = (item: unknown): GoValue =>
    field.message ? messageValue(field.message, item as Readonly<Record<string, unknown>>) : scalarValue(item);
  if (field.fieldKind === 'list') return (value as readonly unknown[]).map(one);
  if (field.fieldKind !== 'map') return one(value);
  return Object.fromEntries(
    Object.entries(value as Readonly<Record<string, unknown>>).map(([key, item]) => [key, one(item)]),
  );
}

function scalarValue(value: unknown): GoValue {
  if (typeof value === 'bigint') return Number(value);
  return value instanceof Uint8Array ? Buffer.from(value).toString('base64') : (value as GoValue);
}

function titled(name: string): string {
  return name.slice(0, 1).toUpperCase() + name.slice(1);
}

function locationOf({ line, endLine }: NonNullable<Vertex['label']['place']>, file: number): GoValue {
  const range = struct({ start: { line }, end: { line: endLine ?? line } });
  return { locations: [struct({ sourceIndex: file === 0 ? undefined : file, ranges: [range] })] };
}

function layerValue({ mediaType, digest, size }: Descriptor): GoValue {
  return struct({ mediaType, digest, size });
}
