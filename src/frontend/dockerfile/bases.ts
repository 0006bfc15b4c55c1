import { CodedError, hasCode, kindOf, messageOf, type Wait } from '../../base/index.ts';
import type { Platform } from '../../blob/index.ts';
import { scratch, sourceState, type Source, type State } from '../../graph/index.ts';
import { formatPlatform, normalizePlatform } from '../../image/index.ts';
import type { FrontendHost, PlannedImage, PlannedLayer } from '../index.ts';
import { imageName, isPackagesName, namedContext, type NamedContext } from './contexts.ts';
import type { Environment } from './environment.ts';
import { dockerfileError, located } from './errors.ts';
import { fullPlatform } from './globals.ts';
import { draftOf, emptyDraft, type ImageDraft } from './image-draft.ts';
import { readIgnore } from './input.ts';
import type { Linter } from './lint.ts';
import { quote } from './go-text.ts';
import type { Local } from './locals.ts';
import type { Options } from './options.ts';
import type { StageNode } from './stages.ts';
import { didYouMean } from './suggest.ts';
import type { Places } from './text.ts';

/** What a stage starts with. */
export interface Base {
  /** The tree; a local source's is asked of `Locals`. */
  readonly state: State;
  readonly local?: Local | undefined;
  readonly draft: ImageDraft;
  readonly platform: Platform;
  readonly layers: readonly PlannedLayer[];
  /** A base that is no image: its tree becomes one layer. */
  readonly bare: boolean;
  /** Its vertex is the first of the stage's numbered steps. */
  readonly numbered: boolean;
  /** How many entries of the history were there before this build; all of them by default. */
  readonly baseHistory?: number | undefined;
  /** It could not be read: nobody knows what it holds. */
  readonly unknown?: boolean | undefined;
}

export interface BaseSettings {
  readonly options: Options;
  readonly platform: Platform;
  /** ARGs before the first FROM, and those that are there without one. */
  readonly globals: Environment;
  readonly places: Places;
  readonly lint: Linter;
  /** Names to suggest for a base that is not found. */
  readonly names: readonly string[];
}

const COMMON = ['alpine', 'busybox', 'centos', 'debian', 'fedora', 'golang', 'node', 'python', 'ubuntu'];

/** Resolves what a stage is built on. Throws what the host throws, with the place of the FROM. */
export async function resolveBase(node: StageNode, host: FrontendHost, s: BaseSettings & Wait): Promise<Base> {
  const platform = node.platform ?? s.platform;
  try {
    if (node.context !== undefined) return await fromContext(node, node.context, { ...s, host, wanted: platform });
    if (node.baseName === 'scratch') return emptyBase(s.platform);
    const context = namedContext(s.options.contexts, node.baseName, platform);
    if (context !== undefined) return await fromContext(node, context, { ...s, host, wanted: platform });
    return await fromImage(node, checkedName(node.baseName), { ...s, host, wanted: platform });
  } catch (error) {
    const hint = suggestion(error, node.baseName, s.names);
    throw located(hint === '' ? error : withHint(error, hint), s.places.place(node.range));
  }
}

/** Fails for a base name that cannot be one, also where nothing needs the stage (as BuildKit does). */
export function checkBaseName(node: StageNode, places: Places): void {
  if (node.base !== undefined || node.context !== undefined || node.baseName === 'scratch') return;
  try {
    checkedName(node.baseName);
  } catch (error) {
    const written = places.place(node.range).text ?? '';
    const fromVariable = node.base === undefined && !node.implicit && written.includes('$');
    throw located(fromVariable ? withRemedy(error, VARIABLE_REMEDY) : error, places.place(node.range));
  }
}

const VARIABLE_REMEDY = 'Give the ARG a value that fits, by its default before the first FROM or with --build-arg.';

function checkedName(name: string): string {
  try {
    return imageName(name);
  } catch (error) {
    throw dockerfileError(
      'DOCKERFILE_BASE_NAME',
      `failed to parse stage name ${quote(name)}: invalid reference format: ${messageOf(error)}`,
      { remedy: error instanceof CodedError ? error.remedy : undefined, cause: error },
    );
  }
}

/** In place of a base that could not be read, for those who only look at the Dockerfile. */
export function unknownBase(node: StageNode, platform: Platform): Base {
  return { ...emptyBase(node.platform ?? platform), unknown: true };
}

type Resolving = BaseSettings & Wait & { readonly host: FrontendHost; readonly wanted: Platform };

function emptyBase(platform: Platform): Base {
  return { state: scratch, draft: emptyDraft(platform), platform, layers: [], bare: false, numbered: false };
}

async function fromContext(node: StageNode, context: NamedContext, r: Resolving): Promise<Base> {
  switch (context.kind) {
    case 'scratch':
      return emptyBase(r.wanted);
    case 'image':
      return fromImage(node, context.reference, r, context);
    case 'layout': {
      const { store, digest } = context;
      const source: Source = { type: 'oci-layout', store, digest, platform: r.wanted };
      return fromSource(source, r, {
        label: `${context.label} OCI load from client`,
        node,
        name: `${store}@${digest}`,
      });
    }
    case 'local': {
      const exclude = await readIgnore(r.host, context.local, context.label, r);
      const local: Local = { name: context.local, label: `${context.label} load from client`, exclude };
      return { ...emptyBase(r.wanted), local, bare: true };
    }
    case 'remote':
      return { ...emptyBase(r.wanted), state: sourceState(context.source, { name: context.label }), bare: true };
    default:
      return fromInput(context, r);
  }
}

function fromInput(context: NamedContext & { readonly kind: 'input' }, r: Resolving): Base {
  // Of an input for several platforms the one that is wanted.
  const names = [`${context.input}::${formatPlatform(r.wanted)}`, context.input];
  const name = names.find((one) => r.host.input(one) !== undefined) ?? context.input;
  const state = r.host.input(name);
  if (state === undefined)
    throw dockerfileError('DOCKERFILE_CONTEXT', `invalid input ${context.input} for ${context.name}`, {
      remedy: 'Give the input that the build context names.',
    });
  const planned = r.host.inputImage?.(name);
  if (planned) return fromPlanned(planned, r);
  const config = inputConfig(r.options.inputMetadata.get(context.input));
  const draft = config === undefined ? emptyDraft(r.wanted) : draftOf(config, `config of input "${context.input}"`);
  const op = state.edge?.vertex.op;
  const image = op?.kind === 'source' && ['image', 'oci-layout', 'packages'].includes(op.source.type);
  if (state.isScratch) return { ...emptyBase(r.wanted), draft: { ...draft, history: [] } };
  if (image)
    return { state, draft, platform: r.wanted, layers: [{ kind: 'base', image: state }], bare: false, numbered: false };
  // How many layers another frontend's steps make is not known here; they become one.
  return { state, draft: { ...draft, history: [] }, platform: r.wanted, layers: [], bare: true, numbered: false };
}

/** An image that the same build plans: its steps and their history go on here. */
function fromPlanned({ root, layers, config, baseHistory }: PlannedImage, r: Resolving): Base {
  const draft = draftOf(Buffer.from(JSON.stringify(config)), 'config of an input');
  return { state: root, draft, platform: r.wanted, layers, bare: false, numbered: false, baseHistory };
}

function inputConfig(metadata: string | undefined): Uint8Array | undefined {
  if (metadata === undefined) return undefined;
  try {
    const value = (JSON.parse(metadata) as Readonly<Record<string, unknown>>)['containerimage.config'];
    return typeof value === 'string' ? Buffer.from(value, 'base64') : undefined;
  } catch {
    throw dockerfileError('DOCKERFILE_CONTEXT', `failed to parse input metadata ${quote(metadata)}`, {
      remedy: 'Give JSON with "containerimage.config" in base64.',
    });
  }
}

function fromImage(node: StageNode, reference: string, r: Resolving, context?: NamedContext): Promise<Base> {
  const platform = r.wanted;
  const source: Source = isPackagesName(reference)
    ? { type: 'packages', reference, platform, ...(r.options.pull === 'always' ? { pull: 'always' } : {}) }
    : { type: 'image', reference, platform, pull: r.options.pull };
  return fromSource(source, r, {
    label: context === undefined ? undefined : `${context.label} `,
    node,
    name: reference,
  });
}

async function fromSource(
  source: Source,
  r: Resolving,
  o: { readonly label: string | undefined; readonly node: StageNode; readonly name: string },
): Promise<Base> {
  const resolved = await r.host.resolve({ kind: 'source', source }, r);
  const pinned = resolved.source.source;
  // A policy about sources may name files in place of an image.
  if (!isImage(pinned))
    return {
      ...emptyBase(r.wanted),
      state: sourceState(pinned, { name: labelOf(o.node, o.label, o.name) }),
      bare: true,
    };
  const name = withDigest('reference' in pinned ? pinned.reference : o.name, resolved.digest);
  const draft =
    resolved.config === undefined ? emptyDraft(r.wanted) : draftOf(resolved.config, `config of "${o.name}"`);
  const platform = platformOf(o.node, draft, r);
  lintPlatformOf(o.node, draft, r);
  if (source.type !== 'packages' && resolved.config !== undefined && isEmptyImage(draft))
    return { state: scratch, draft, platform, layers: [], bare: false, numbered: false };
  const state = sourceState(pinned, {
    name: labelOf(o.node, o.label, name),
    get variables() {
      return [...o.node.fromNames].map((name) => ({ name, value: r.globals.get(name) ?? '', from: 'ARG' as const }));
    },
    group: o.node.label || undefined,
    place: r.places.place(o.node.range),
  });
  return {
    state,
    draft,
    platform,
    layers: [{ kind: 'base', image: state }],
    bare: false,
    numbered: o.label === undefined,
  };
}

function isImage({ type }: Source): boolean {
  return type === 'image' || type === 'oci-layout' || type === 'packages';
}

/** `[build 1/5] FROM …`; the base is the first of its stage's steps. */
function labelOf(node: StageNode, contextLabel: string | undefined, name: string): string {
  if (contextLabel !== undefined) return contextLabel.endsWith(' ') ? contextLabel + name : contextLabel;
  return stepLabel(node, { index: 1, trigger: false, text: `FROM ${name}` });
}

/** `[build 2/5] text`, as BuildKit numbers steps, with the platform where there are several; a node without steps of its own has the text alone. */
export function stepLabel(
  node: Pick<StageNode, 'label' | 'total' | 'prefix'>,
  step: { readonly index: number; readonly trigger: boolean; readonly text: string },
): string {
  const text = (step.trigger ? 'ONBUILD ' : '') + step.text;
  if (node.total === 0) return step.text;
  const width = Math.floor(1 + Math.log10(node.total));
  const prefix = node.label === '' ? '' : `${node.label} `;
  return `[${node.prefix}${prefix}${String(step.index).padStart(width)}/${node.total}] ${text}`;
}

function withDigest(name: string, digest: string | undefined): string {
  return digest === undefined || name.includes('@') ? name : `${name}@${digest}`;
}

/** The platform a stage has: what was asked for, or, where nobody asked, what the image is if the machine is that too. */
function platformOf(node: StageNode, draft: ImageDraft, r: Resolving): Platform {
  if (node.platform !== undefined || !r.options.implicitPlatform) return r.wanted;
  const { buildPlatform } = r.options;
  const same = (p: Platform): boolean => p.os === draft.os && p.architecture === draft.architecture;
  return !same(r.wanted) && same(buildPlatform) ? buildPlatform : r.wanted;
}

function lintPlatformOf(node: StageNode, draft: ImageDraft, r: Resolving): void {
  if (draft.os === '' || (draft.os === r.wanted.os && draft.architecture === r.wanted.architecture)) return;
  const actual = normalizePlatform(draft);
  r.lint.report(
    'InvalidBaseImagePlatform',
    node.range,
    `Base image ${node.baseName} was pulled with platform ${quote(fullPlatform(actual))}, expected ${quote(fullPlatform(r.wanted))} for current build`,
  );
}

function isEmptyImage(draft: ImageDraft): boolean {
  return draft.rootfs.diff_ids.length === 0 && draft.history.every((entry) => entry.empty_layer === true);
}

function suggestion(error: unknown, name: string, names: readonly string[]): string {
  if (hasCode(error, 'CONFIG_INVALID')) return '';
  const kind = kindOf(error);
  // Where no registry answered, only a stage can have been meant.
  if (kind === 'unavailable') return didYouMean(name, names);
  return ['not_found', 'denied', 'invalid'].includes(kind) ? didYouMean(name, [...names, ...COMMON]) : '';
}

function withHint(error: unknown, hint: string): unknown {
  if (!(error instanceof CodedError)) return error;
  const { code, kind, message, remedy, place } = error;
  return new CodedError({ code, kind, message: message + hint, remedy, place, cause: error });
}

function withRemedy(error: unknown, remedy: string): unknown {
  if (!(error instanceof CodedError)) return error;
  const { code, kind, message, place } = error;
  return new CodedError({ code, kind, message, remedy, place, cause: error });
}
