import { readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { CodedError, hasErrno, kindOf, reasonOf } from '../../../base/index.ts';
import { printed } from '../../../bake/index.ts';
import type { Builder, BuildEvent, BuildResult } from '../../../engine/index.ts';
import { familiarReference, parseReference } from '../../../image/index.ts';
import { Clouds } from '../build/cloud-caches.ts';
import { callOf } from '../check/call.ts';
import { cliError, usage } from '../errors.ts';
import { hostCredentials } from '../local-host.ts';
import type { CliContext } from '../command.ts';
import { createRenderer, progressMode } from '../progress/create-renderer.ts';
import { markFailure } from '../run-cli.ts';
import { engineFor, lazyCredentials } from '../settings.ts';
import { checkEntitlements } from './entitlements.ts';
import { findDefinition } from './find-definition.ts';
import type { BakeFlags } from './flags.ts';
import { JoinedEvents } from './joined-events.ts';
import { listText } from './list.ts';
import { TargetBuild, type Offered } from './target-build.ts';

/** `strake bake`: targets of bake and compose files, built together over one engine, shown as one. */
export async function runBake(words: readonly string[], flags: BakeFlags, c: CliContext): Promise<number | void> {
  const { io } = c;
  const call = callOf(flags);
  if (flags.print === true && flags.list !== undefined)
    throw usage('read --print and --list: they ask for different things', 'Give one of them.');
  const mode = flags.quiet ? 'quiet' : progressMode(flags.progress, io.env);
  const definition = await findDefinition(words, flags, c);
  if (flags.list !== undefined) return io.stdout.write(listText(flags.list, definition.config));
  const resolved = definition.resolve({ call });
  if (flags.print === true) return io.stdout.write(`${JSON.stringify(printed(resolved), undefined, 2)}\n`);
  const targets = [...resolved.targets.values()];
  checkEntitlements(targets, { allow: flags.allow, io, overridden: flags.set });
  const asked = targets.filter((target) => target.call !== undefined && target.call !== 'build');
  const built = targets.filter((target) => !asked.includes(target));
  const wanted = asked.length === 0 ? built : built.filter((target) => target.linked !== true);
  if (wanted.length > 0) await buildAll(wanted, { flags, mode, c });
  if (asked.length === 0) return undefined;
  const { callTargets } = await import('./call-targets.ts');
  return callTargets(asked, { resolved, call, c });
}

type Targets = Parameters<typeof checkEntitlements>[0];

async function buildAll(
  targets: Targets,
  o: { readonly flags: BakeFlags; readonly mode: ReturnType<typeof progressMode>; readonly c: CliContext },
): Promise<void> {
  const { flags, mode, c } = o;
  const { io } = c;
  using renderer = createRenderer(mode, io.stderr, {
    clock: io.clock,
    style: io.errStyle,
    env: io.env,
    title: 'Baking',
  });
  const offered: Offered = { files: new Map(), blobs: new Map() };
  using opened = new DisposableStack();
  const builds = new Map<string, TargetBuild>();
  try {
    const all = [...targets];
    for (const target of all) {
      try {
        builds.set(target.name, opened.use(await TargetBuild.open(target, { c, offered, quiet: mode === 'quiet' })));
      } catch (error) {
        throw ofTarget(error, target.name, all.length);
      }
    }
    await using builders = await buildersFor(flags, c);
    await using clouds = new Clouds(io);
    const results = await Baking.run({
      builder: builders.builder,
      builds,
      offered,
      clouds,
      c,
      anew: io.random.hex(16),
      emit: renderer.event,
    });
    for (const event of results.values()) renderer.event(event);
    renderer.finish();
    writeMetadata(results, flags, io.cwd);
    printResults(results, builds, c);
  } catch (error) {
    renderer.finish(error);
    markFailure(error, { told: renderer.tellsFailure });
    throw error;
  }
}

/** Where targets are built: by the engine of this machine, or on the daemons that `--on` names. */
async function buildersFor(flags: BakeFlags, c: CliContext): Promise<{ readonly builder: Builder } & AsyncDisposable> {
  const { settings, io } = c;
  if (settings.on === undefined) {
    const engine = await engineFor(settings);
    return { builder: engine, [Symbol.asyncDispose]: () => engine[Symbol.asyncDispose]() };
  }
  const { checkRemoteFlags } = await import('../remote/check-flags.ts');
  checkRemoteFlags(flags);
  const { openBuilder } = await import('../remote/open-builder.ts');
  return openBuilder(settings.on, { c, host: { credentials: hostCredentials(lazyCredentials(io)) } });
}

type ResultEvent = Extract<BuildEvent, { readonly kind: 'result' }> & { readonly target: string };

interface BakingOptions {
  readonly builder: Builder;
  readonly builds: ReadonlyMap<string, TargetBuild>;
  readonly offered: Offered;
  readonly clouds: Clouds;
  readonly c: CliContext;
  /** What is run anew is so once for all targets. */
  readonly anew: string;
  readonly emit: (event: BuildEvent) => void;
}

/** Builds at the same time; the first one that fails ends the others. */
class Baking {
  readonly #o: BakingOptions;
  readonly #joined: JoinedEvents;
  readonly #running = new Map<string, Promise<ResultEvent>>();
  readonly #ending = new AbortController();

  private constructor(o: BakingOptions) {
    this.#o = o;
    this.#joined = new JoinedEvents(o.emit);
  }

  /** Results by target, in order. */
  static async run(o: BakingOptions): Promise<ReadonlyMap<string, ResultEvent>> {
    const baking = new Baking(o);
    const names = [...o.builds.keys()];
    const settled = await Promise.allSettled(names.map((name) => baking.#build(name)));
    const failures = settled.flatMap((result) => (result.status === 'rejected' ? [result.reason as unknown] : []));
    const failure = failures.find((error) => kindOf(error) !== 'cancelled') ?? failures[0];
    if (failure !== undefined) throw failure;
    return new Map(
      settled.flatMap((result, at) =>
        result.status === 'fulfilled' ? [[names[at] ?? '', result.value] as const] : [],
      ),
    );
  }

  #build(name: string): Promise<ResultEvent> {
    const running = this.#running.get(name) ?? this.#run(name);
    this.#running.set(name, running);
    return running;
  }

  async #run(name: string): Promise<ResultEvent> {
    const { builder, builds, c } = this.#o;
    const build = builds.get(name);
    if (!build) throw new TypeError(`there is no target "${name}"`);
    const signal = AbortSignal.any([c.signal, this.#ending.signal]);
    try {
      // Begun after this one was noted, so that a target is built once whoever asks first.
      await Promise.resolve();
      for (const below of build.linked.values()) if (builds.get(below)?.goesFirst) await this.#build(below);
      const { request, host } = build.request(builds, (event) => this.#joined.tell(name, event), this.#o);
      let result: ResultEvent | undefined;
      for await (const event of builder.build(request, host, { signal })) {
        this.#joined.tell(name, event);
        if (event.kind === 'result') result = { ...event, target: name };
      }
      if (!result) throw new TypeError(`target "${name}" ended without a result`);
      return result;
    } catch (error) {
      if (!this.#ending.signal.aborted) {
        markFailure(error, { source: sourceOf(error, build) });
        this.#ending.abort(cliError('INTERRUPTED', `target "${name}" failed`));
        throw ofTarget(error, name, builds.size);
      }
      throw error;
    }
  }
}

/** The error with the name of the target in front, where there are several. */
function ofTarget(error: unknown, name: string, targets: number): unknown {
  if (!(error instanceof CodedError) || targets === 1 || error.kind === 'cancelled') return error;
  const { code, kind, message, remedy, place } = error;
  const told = new CodedError({ code, kind, message: `target "${name}": ${message}`, remedy, place, cause: error });
  return told;
}

/** How the file that an error points into can be read: the target's Dockerfile. */
function sourceOf(error: unknown, { context }: TargetBuild): ((file: string) => string | undefined) | undefined {
  const { dockerfile } = context;
  if (!(error instanceof CodedError) || !dockerfile || error.place?.file !== dockerfile.name) return undefined;
  try {
    const text = readFileSync(join(dockerfile.folder, dockerfile.name), 'utf8');
    return () => text;
  } catch {
    return undefined;
  }
}

/** `--metadata-file`: what is known of each result, by target. */
function writeMetadata(results: ReadonlyMap<string, ResultEvent>, flags: BakeFlags, cwd: string): void {
  if (flags.metadataFile === undefined) return;
  const all = Object.fromEntries([...results].map(([name, { result }]) => [name, result.metadata]));
  try {
    writeFileSync(resolve(cwd, flags.metadataFile), `${JSON.stringify(all, undefined, 2)}\n`);
  } catch (error) {
    const denied = hasErrno(error, 'EACCES', 'EPERM', 'EROFS');
    throw cliError(
      denied ? 'OUTPUT_DENIED' : 'OUTPUT_INVALID',
      `write --metadata-file "${flags.metadataFile}": ${reasonOf(error)}`,
      {
        cause: error,
        remedy: 'Name a file in a folder that is there and that this user may write to.',
      },
    );
  }
}

/** Of each target that is written somewhere: its name with the image ID, then with each manifest. */
function printResults(
  results: ReadonlyMap<string, ResultEvent>,
  builds: ReadonlyMap<string, TargetBuild>,
  { io }: CliContext,
): void {
  const out = [...builds.values()].some(({ planned }) => planned.outputs.usesStdout) ? io.stderr : io.stdout;
  for (const [name, { result }] of results) {
    if (builds.get(name)?.target.linked === true) continue;
    for (const line of linesOf(result)) out.write(`${name} ${line}\n`);
  }
}

function* linesOf({ images }: BuildResult): Iterable<string> {
  for (const [at, image] of images.entries()) {
    yield image.imageId;
    if (at < images.length - 1) continue;
    for (const { descriptor, names } of image.manifests)
      for (const each of names) yield `${familiarReference(parseReference(each))}@${descriptor.digest}`;
  }
}
