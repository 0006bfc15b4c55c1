import { statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Platform } from '../../../blob/index.ts';
import type { Compression, ExportRequest } from '../../../engine/index.ts';
import { parseReference } from '../../../image/index.ts';
import { cliError, usage } from '../errors.ts';
import { annotationKey, type Annotation } from './annotation.ts';
import { csvFields, csvPairs } from './csv.ts';
import { booleanOf } from './values.ts';

/** Where the bytes of an output go. */
export type SinkPlace =
  | { readonly kind: 'file'; readonly path: string }
  | { readonly kind: 'folder'; readonly path: string }
  | { readonly kind: 'stdout' };

export interface OutputPlan {
  readonly exports: readonly ExportRequest[];
  readonly sinks: ReadonlyMap<string, SinkPlace>;
  readonly annotations: readonly Annotation[];
  /** What one of the outputs says; undefined when none does. */
  readonly rewriteTimestamp: boolean | undefined;
  /** Standard output carries an archive. */
  readonly usesStdout: boolean;
}

export interface OutputWishes {
  readonly specs: readonly string[];
  readonly tags: readonly string[];
  readonly push: boolean;
  readonly load: boolean;
  readonly cwd: string;
  readonly stdoutIsTerminal: boolean;
  readonly platforms: readonly Platform[];
  /** True for a registry that may be spoken to without TLS. */
  readonly insecure: (registry: string) => boolean;
}

const TYPES = [
  'local',
  'tar',
  'oci',
  'docker',
  'docker-daemon',
  'containerd',
  'image',
  'registry',
  'cacheonly',
] as const;
type OutputType = (typeof TYPES)[number];

interface Spec {
  readonly text: string;
  readonly type: OutputType;
  readonly attributes: Map<string, string>;
}

/**
 * `-o`, `--push` and `--load` as the engine's exports, by buildx's rules (util/buildflags/export.go, build.go): a bare word is a folder, `-` a tar on standard output; `--push` makes image outputs push. Nothing asked for is
 * the local store under the tags; `--push` and `--load` alone come on top of that.
 */
export function planOutputs(wishes: OutputWishes): OutputPlan {
  const plan = new Plan(wishes);
  const specs = wishes.specs.filter((text) => text !== '').map(specOf);
  const pushed = specs.filter(({ type }) => type === 'image' || type === 'registry');
  if (wishes.push) for (const { attributes } of pushed) attributes.set('push', 'true');
  if (specs.length === 0) plan.add({ text: '', type: 'image', attributes: new Map() });
  for (const spec of specs) plan.add(spec);
  if (wishes.push && pushed.length === 0) plan.add({ text: '--push', type: 'registry', attributes: new Map() });
  const loaded = specs.some(
    ({ type, attributes }) => type === 'docker-daemon' || (type === 'docker' && !attributes.has('dest')),
  );
  if (wishes.load && !loaded) plan.add({ text: '--load', type: 'docker-daemon', attributes: new Map() });
  return plan.finish();
}

function specOf(text: string): Spec {
  const what = '--output';
  const fields = csvFields(text, what);
  if (fields.length === 1 && fields[0] === text && !text.startsWith('type='))
    return { text, type: text === '-' ? 'tar' : 'local', attributes: new Map([['dest', text]]) };
  const attributes = csvPairs(text, what);
  const named = attributes.get('type');
  const type = TYPES.find((one) => one === named);
  if (!type)
    throw usage(
      named === undefined
        ? `read --output "${text}": the type is missing`
        : `read --output "${text}": there is no type "${named}"`,
      `Use type= and one of: ${TYPES.join(', ')}.`,
    );
  attributes.delete('type');
  return { text, type, attributes };
}

class Plan {
  readonly #wishes: OutputWishes;
  readonly #exports: ExportRequest[] = [];
  readonly #sinks = new Map<string, SinkPlace>();
  readonly #annotations: Annotation[] = [];
  #rewriteTimestamp: boolean | undefined;

  constructor(wishes: OutputWishes) {
    this.#wishes = wishes;
  }

  finish(): OutputPlan {
    const stdout = this.#sinks.values().filter(({ kind }) => kind === 'stdout');
    const count = [...stdout].length;
    if (count > 1)
      throw usage(`write ${count} outputs to standard output: it can carry one`, 'Name a file with dest=.');
    return {
      exports: this.#exports,
      sinks: this.#sinks,
      annotations: this.#annotations,
      rewriteTimestamp: this.#rewriteTimestamp,
      usesStdout: count === 1,
    };
  }

  add(spec: Spec): void {
    const take = new Taker(spec);
    const timestamps = take.boolean('rewrite-timestamp');
    this.#rewriteTimestamp =
      timestamps === undefined ? this.#rewriteTimestamp : timestamps && this.#rewriteTimestamp !== false;
    for (const name of take.names()) {
      const found = annotationKey(name, this.#wishes);
      if (!found) continue;
      const value = take.text(name) ?? '';
      const { wanted, ...annotation } = found;
      if (wanted) this.#annotations.push({ ...annotation, value });
    }
    switch (spec.type) {
      case 'local':
      case 'tar':
        this.#files(spec.type, take);
        break;
      case 'oci':
        this.#archive('oci', take);
        break;
      case 'docker':
        if (take.has('dest')) this.#archive('docker', take);
        else this.#daemon(take);
        break;
      case 'docker-daemon':
        this.#daemon(take);
        break;
      case 'containerd':
        this.#containerd(take);
        break;
      case 'image':
        this.#image(take, false);
        break;
      case 'registry':
        this.#image(take, true);
        break;
      case 'cacheonly':
        break;
    }
    take.end();
  }

  #files(type: 'local' | 'tar', take: Taker): void {
    const split = take.boolean('platform-split');
    const attestationPrefix = take.text('attestation-prefix');
    const prefix = {
      ...(attestationPrefix === undefined ? {} : { attestationPrefix }),
      ...(split === undefined ? {} : { split }),
    };
    const dest = take.text('dest');
    if (type === 'local') {
      if (dest === undefined || dest === '') throw take.bad('the folder is missing', 'Name it with dest=FOLDER.');
      this.#exports.push({ type, sink: this.#folder(dest, take), ...prefix });
    } else this.#exports.push({ type, sink: this.#file(dest, take), ...prefix });
  }

  #archive(type: 'oci' | 'docker', take: Taker): void {
    const tar = take.boolean('tar') ?? true;
    const dest = take.text('dest');
    const oci = take.boolean('oci-mediatypes');
    const artifact = take.boolean('oci-artifact');
    const inline = take.boolean('attestation-inline');
    if (!tar && (dest === undefined || dest === ''))
      throw take.bad('the folder is missing', 'Name it with dest=FOLDER.');
    const sink = tar ? this.#file(dest, take) : this.#folder(dest ?? '', take);
    this.#exports.push({
      type,
      sink,
      tar,
      names: this.#names(take),
      compression: take.compression(),
      ...(oci === undefined ? {} : { docker: !oci }),
      ...(artifact === undefined ? {} : { artifact }),
      ...(inline === undefined ? {} : { inline }),
    });
  }

  #daemon(take: Taker): void {
    const socket = take.text('socket');
    const path = socket === undefined ? undefined : resolve(this.#wishes.cwd, socket.replace(/^unix:\/\//, ''));
    take.compression();
    this.#exports.push({ type: 'docker-daemon', names: this.#names(take), socket: path });
  }

  #containerd(take: Taker): void {
    const address = take.text('address');
    const names = this.#names(take);
    if (names.length === 0)
      throw usage('export the image to containerd: it has no name', 'Name it with --tag, as -t app:1.0.');
    this.#exports.push({
      type: 'containerd',
      names,
      address: address === undefined ? undefined : resolve(this.#wishes.cwd, address.replace(/^unix:\/\//, '')),
      namespace: take.text('namespace'),
      unpack: take.boolean('unpack'),
      snapshotter: take.text('snapshotter'),
      compression: take.compression(),
      docker: take.boolean('oci-mediatypes') === false || undefined,
    });
  }

  /** The store, or (`type=registry`) only a registry; with `push=true` both. */
  #image(take: Taker, registryOnly: boolean): void {
    const names = this.#names(take);
    const push = take.boolean('push') ?? registryOnly;
    const store = take.boolean('store') ?? true;
    const insecure = take.boolean('registry.insecure');
    const oci = take.boolean('oci-mediatypes');
    const artifact = take.boolean('oci-artifact');
    take.boolean('attestation-inline');
    const compression = take.compression();
    const byDigest = take.boolean('push-by-digest') === true;
    // Layers lie unpacked in the store, and it finds images by their digests.
    for (const idle of ['unpack', 'name-canonical', 'danging-name-empty-only', 'prefer-nondist-layers'])
      take.boolean(idle);
    take.text('dangling-name-prefix');
    if (!registryOnly && store) this.#exports.push({ type: 'store', names: byDigest ? [] : names });
    if (!push) return;
    if (names.length === 0)
      throw usage('push the image: it has no name', 'Name it with --tag, as -t registry.example/app:1.0.');
    const byInsecure = Map.groupBy(names, (name) => insecure ?? this.#wishes.insecure(parseReference(name).registry));
    for (const [plain, group] of byInsecure)
      this.#exports.push({
        type: 'registry',
        names: group,
        insecure: plain || undefined,
        ...(byDigest && { byDigest }),
        compression,
        docker: oci === false || undefined,
        ...(artifact === undefined ? {} : { artifact }),
      });
  }

  #names(take: Taker): readonly string[] {
    const own = take.text('name');
    const names = own === undefined || own === '' ? this.#wishes.tags : own.split(',');
    return names.map((name) => imageName(name));
  }

  #file(dest: string | undefined, take: Taker): string {
    const sink = String(this.#exports.length);
    if (dest === undefined || dest === '' || dest === '-') {
      if (this.#wishes.stdoutIsTerminal)
        throw cliError('OUTPUT_TERMINAL', `write output "${take.spec.text}": standard output is a terminal`, {
          remedy: 'Name a file with dest=FILE, or send it on with "|" or ">".',
        });
      this.#sinks.set(sink, { kind: 'stdout' });
      return sink;
    }
    const path = resolve(this.#wishes.cwd, dest);
    if (statSync(path, { throwIfNoEntry: false })?.isDirectory())
      throw cliError('OUTPUT_INVALID', `write output "${take.spec.text}": "${dest}" is a folder`, {
        remedy: `Name a file, as dest=${join(dest, 'image.tar')}.`,
      });
    this.#sinks.set(sink, { kind: 'file', path });
    return sink;
  }

  #folder(dest: string, take: Taker): string {
    const path = resolve(this.#wishes.cwd, dest);
    const stat = statSync(path, { throwIfNoEntry: false });
    if (stat && !stat.isDirectory())
      throw cliError('OUTPUT_INVALID', `write output "${take.spec.text}": "${dest}" is not a folder`);
    const sink = String(this.#exports.length);
    this.#sinks.set(sink, { kind: 'folder', path });
    return sink;
  }
}

/** A name that a tag can be. Throws `REFERENCE_INVALID`, and `USAGE` for a name with a digest. */
export function imageName(name: string): string {
  const reference = parseReference(name);
  if (reference.digest !== undefined)
    throw usage(`name the image "${name}": a name cannot have a digest`, 'Leave out what begins with "@".');
  return name;
}

/** Takes attributes one by one; what is left at the end is unknown. */
class Taker {
  readonly spec: Spec;

  constructor(spec: Spec) {
    this.spec = spec;
  }

  bad(detail: string, remedy?: string): Error {
    return usage(`read --output "${this.spec.text}": ${detail}`, remedy);
  }

  has(name: string): boolean {
    return this.spec.attributes.has(name);
  }

  names(): readonly string[] {
    return [...this.spec.attributes.keys()];
  }

  text(name: string): string | undefined {
    const value = this.spec.attributes.get(name);
    this.spec.attributes.delete(name);
    return value;
  }

  boolean(name: string): boolean | undefined {
    const value = this.text(name);
    return value === undefined ? undefined : booleanOf(value, `output attribute "${name}"`);
  }

  compression(): Compression | undefined {
    const text = this.text('compression');
    const level = this.text('compression-level');
    const force = this.boolean('force-compression') === true;
    const names: Readonly<Record<string, Compression['name']>> = { gzip: 'gzip', zstd: 'zstd', uncompressed: 'none' };
    const name = names[text ?? 'gzip'];
    if (name === undefined)
      throw this.bad(
        `there is no compression "${text}"`,
        text === 'estargz'
          ? 'Use gzip: every snapshotter takes it, one for lazy pulling too.'
          : 'Use gzip, zstd or uncompressed.',
      );
    if (level !== undefined && !/^\d{1,2}$/.test(level)) throw this.bad(`compression-level "${level}" is not a number`);
    if (text === undefined && level === undefined && !force) return undefined;
    return { name, level: level === undefined ? undefined : Number(level), ...(force && { force }) };
  }

  end(): void {
    const [left] = this.names();
    if (left !== undefined) throw this.bad(`type=${this.spec.type} has no attribute "${left}"`);
  }
}
