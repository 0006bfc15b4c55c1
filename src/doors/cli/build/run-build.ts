import { readFileSync, writeFileSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { CodedError, hasCode, hasErrno, messageOf, reasonOf, withoutSecrets } from '../../../base/index.ts';
import type { Builder, BuildEvent, BuildResult, Engine, GroundReport } from '../../../engine/index.ts';
import { familiarReference, parseReference } from '../../../image/index.ts';
import { folderSource, StatCache, type FileSource } from '../../../tree/index.ts';
import type { BuildHost } from '../../../worker/index.ts';
import { cliError, usage } from '../errors.ts';
import type { FailureNote } from '../failure.ts';
import type { Io } from '../io.ts';
import { localHost } from '../local-host.ts';
import { attestationsOf } from '../parse/attest.ts';
import type { SinkPlace } from '../parse/output.ts';
import { agentOf, checkSecret, secretOf } from '../parse/secret.ts';
import type { CliContext } from '../command.ts';
import { createRenderer, progressMode } from '../progress/create-renderer.ts';
import type { Renderer } from '../progress/renderer.ts';
import type { BuildReport } from '../report/build-report.ts';
import type { BuildTelemetry } from '../telemetry/build-telemetry.ts';
import { markFailure } from '../run-cli.ts';
import { engineFor, lazyCredentials, type Settings } from '../settings.ts';
import type { BindCache } from './bind-cache.ts';
import { creationTime, isForBuildpacks } from './app-folder.ts';
import type { BuildpackPlan } from './buildpacks.ts';
import { namedFolder, openContext, type BuildContext } from './context.ts';
import { planBuild, type BuildFlags, type Planned } from './flags.ts';
import { Clouds } from './cloud-caches.ts';
import { offeredCaches } from './local-caches.ts';
import { namedContexts } from './named-contexts.ts';
import { nextSteps } from './next-steps.ts';
import { projectOf } from './project.ts';
import { ownName, reproduceLine } from './reproduce.ts';

/** What a build of an application by buildpacks asks for and is offered. */
export async function planApp(
  flags: BuildFlags,
  c: CliContext & { readonly context: BuildContext; readonly publish: boolean },
): Promise<BuildpackPlan> {
  const { planBuildpacks } = await import('./buildpacks.ts');
  const { bringModules } = await import('../buildpack/bring-modules.ts');
  const brought = await bringModules(flags, { ...c, folder: c.context.isLocal ? c.context.folder : undefined });
  const plan = planBuildpacks(brought.flags, { ...c, buildId: c.io.random.hex(16) });
  return { ...plan, options: { ...plan.options, ...brought.options } };
}

/** `strake build`: the request, what this side offers to it, its story on standard error, its result on standard output (unless `silent`) and in files. */
export async function runBuild(
  place: string,
  flags: BuildFlags,
  c: CliContext & { readonly silent?: boolean | undefined },
): Promise<BuildResult | undefined> {
  const { io, settings, signal } = c;
  const mode = flags.quiet ? 'quiet' : progressMode(flags.progress, io.env);
  const planned = planBuild(flags, { ...io, stdoutIsTerminal: io.stdout.isTerminal, insecure: settings.insecure });
  const secrets = new Map(flags.secret.map((text) => secretOf(text, io)).map(({ id, source }) => [id, source]));
  for (const [id, source] of secrets) checkSecret(id, source);
  const agents = new Map(flags.ssh.map((text) => agentOf(text, io)).map(({ id, source }) => [id, source]));
  using renderer = createRenderer(mode, io.stderr, {
    clock: io.clock,
    style: io.errStyle,
    env: io.env,
    title: 'Building',
  });
  const scratch = join(settings.root, 'tmp');
  const report = flags.report === undefined ? undefined : await reportFor(flags.report, { place, flags, c });
  const telemetry = await telemetryFor({ place, flags, c });
  const emit = (event: BuildEvent): void => {
    renderer.event(event);
    report?.event(event);
    telemetry?.event(event);
  };
  let isTold = false;
  try {
    const isApp = isForBuildpacks(place, flags, io);
    using context = await openContext(place, { io, scratch, signal, file: flags.file, withoutDockerfile: isApp });
    const publish = planned.request.exports.some(({ type }) => type === 'registry');
    const app = isApp ? await planApp(flags, { ...c, context, publish }) : undefined;
    const contexts = await namedContexts(flags, (text) => namedFolder(text, io));
    await using clouds = new Clouds(io);
    const caches = offeredCaches(planned.caches, { clouds, emit, now: () => io.clock.now() });
    const shell = flags.onError === 'shell' ? await shellFor(io, renderer) : undefined;
    const host = localHost({
      files: new Map([...filesOf(context, contexts.folders, c), ...offered(app)]),
      secrets: new Map([...secrets, ...(app?.secrets ?? [])]),
      agents,
      sinks: sinksOf(planned),
      blobs: new Map([...caches.blobs, ...contexts.layouts]),
      objects: caches.objects,
      credentials: lazyCredentials(io),
      env: io.env,
      random: io.random,
      failed: shell,
    });
    const request = {
      ...planned.request,
      cacheFrom: caches.imports,
      cacheTo: caches.exports,
      project: projectOf(place, { context, ...flags, platforms: planned.request.platforms }),
      options: { ...planned.request.options, ...contexts.options, ...context.options },
      ...(app && { frontend: 'buildpack', options: { ...app.options, ...attestationsOf(flags) } }),
      ...(app && flags.creationTime !== undefined && { epoch: creationTime(flags.creationTime, io) }),
    };
    const own = {
      ...settings,
      project: (context.isLocal ? context.folder : undefined) ?? settings.project,
      ownBases: app?.bases,
    };
    await using builders = await buildersFor(own, { flags, c, host });
    const { builder, engine } = builders;
    if (app?.bind && !engine) throw cacheElsewhere();
    const bind = app?.bind && engine && (await bindCache(app.bind, { engine, io }));
    // What lies in the store of an earlier build is not what the folder holds now.
    const isEmpty = bind !== undefined && !(await bind.bring({ warn: (message) => warn([message], io), signal }));
    let result: BuildResult | undefined;
    let ground: GroundReport | undefined;
    const failed = new FailedStage();
    try {
      for await (const event of builder.build(isEmpty ? withoutCache(request) : request, host, { signal })) {
        emit(event);
        failed.see(event);
        if (event.kind === 'result') ({ result } = event);
        if (event.kind === 'ground') ({ ground } = event);
      }
    } catch (error) {
      // Read now: a context that was made for this build goes with it.
      markFailure(error, {
        source: sourceOf(error, context),
        after: afterFailure(error, { place, flags, c, failed, app: isApp }),
      });
      throw error;
    }
    if (result) writeFiles(result, ground, { flags, cwd: io.cwd });
    if (result && bind) await keepCache(bind, { signal, io });
    if (result && app && engine)
      await (await import('./app-files.ts')).writeAppFiles(result, flags, { engine, planned, c });
    if (result && engine) await report?.built(result, { engine, host, signal });
    renderer.finish();
    warn((await telemetry?.finish()) ?? [], io);
    isTold = true;
    if (result && !c.silent)
      printResult(result, planned, { quiet: mode === 'quiet', talk: mode !== 'json' && mode !== 'rawjson', c });
    return result;
  } catch (error) {
    renderer.finish(error);
    markFailure(error, { told: renderer.tellsFailure });
    const problem = report?.failed(error);
    const problems = isTold ? [] : ((await telemetry?.finish(error)) ?? []);
    warn([...(problem === undefined ? [] : [messageOf(problem)]), ...problems], io);
    throw error;
  }
}

async function bindCache(
  o: { readonly folder: string; readonly name: string },
  c: { readonly engine: Engine; readonly io: Io },
): Promise<BindCache> {
  const { BindCache } = await import('./bind-cache.ts');
  return new BindCache(o.folder, { ...o, ...c });
}

/** What cannot be kept is no reason to fail. */
async function keepCache(
  cache: BindCache,
  { io, signal }: { readonly io: Io; readonly signal: AbortSignal },
): Promise<void> {
  try {
    await cache.keep({ signal });
  } catch (error) {
    if (signal.aborted) throw error;
    warn([`the cache of buildpacks is not kept: ${messageOf(error)}`], io);
  }
}

function withoutCache<R extends { readonly options: Readonly<Record<string, string>> }>(request: R): R {
  return { ...request, options: { ...request.options, 'clear-cache': '' } };
}

function cacheElsewhere(): Error {
  return usage('read --cache format=bind: a daemon elsewhere has its own cache', 'Leave out --cache or --on.');
}

/** Where it is built: by the engine of this machine, or on the daemons that `--on` names. */
async function buildersFor(
  settings: Settings,
  { flags, c, host }: { readonly flags: BuildFlags; readonly c: CliContext; readonly host: BuildHost },
): Promise<{ readonly builder: Builder; readonly engine?: Engine } & AsyncDisposable> {
  if (settings.on === undefined) {
    const engine = await engineFor(settings);
    return { builder: engine, engine, [Symbol.asyncDispose]: () => engine[Symbol.asyncDispose]() };
  }
  const { checkRemoteFlags } = await import('../remote/check-flags.ts');
  checkRemoteFlags(flags);
  const { openBuilder } = await import('../remote/open-builder.ts');
  return openBuilder(settings.on, { c: { ...c, settings }, host });
}

async function reportFor(
  path: string,
  { place, flags, c }: { readonly place: string; readonly flags: BuildFlags; readonly c: CliContext },
): Promise<BuildReport> {
  const { BuildReport } = await import('../report/build-report.ts');
  return new BuildReport(path, { io: c.io, title: titleOf(place, flags, c.io) });
}

async function telemetryFor(o: {
  readonly place: string;
  readonly flags: BuildFlags;
  readonly c: CliContext;
}): Promise<BuildTelemetry | undefined> {
  const { place, flags, c } = o;
  if (flags.otlp === undefined && flags.traceDir === undefined) return undefined;
  const { BuildTelemetry } = await import('../telemetry/build-telemetry.ts');
  return new BuildTelemetry({
    io: c.io,
    title: titleOf(place, flags, c.io),
    isApp: isForBuildpacks(place, flags, c.io),
    endpoint: flags.otlp,
    folder: flags.traceDir,
  });
}

/** What a build is of, in a few words: the first name of the image, else where its context is. */
function titleOf(place: string, flags: BuildFlags, io: Io): string {
  const isFolder = !/^-$|^[a-z]+:\/\/|^git@/.test(place);
  return flags.tag[0] ?? (isFolder ? basename(resolve(io.cwd, place)) : withoutSecrets(place));
}

function warn(problems: readonly string[], io: Io): void {
  for (const problem of problems) io.stderr.write(`${io.errStyle.yellow('warning')}: ${problem}\n`);
}

/** The stage of the first step that failed by itself. */
class FailedStage {
  readonly #stages = new Map<string, string>();
  stage: string | undefined;
  #known = false;

  see(event: BuildEvent): void {
    if (event.kind === 'vertex' && event.group !== undefined) this.#stages.set(event.id, event.group);
    if (event.kind !== 'completed' || event.error === undefined || event.cancelled || this.#known) return;
    this.#known = true;
    this.stage = this.#stages.get(event.id);
  }
}

/** How to come to a failed step again. */
function afterFailure(
  error: unknown,
  o: {
    readonly place: string;
    readonly flags: BuildFlags;
    readonly c: CliContext;
    readonly app: boolean;
    readonly failed: FailedStage;
  },
): readonly FailureNote[] {
  const isStep = hasCode(error, 'STEP_FAILED') && error.message.startsWith('process ');
  if (!isStep && !hasCode(error, 'CNB_BUILD_FAILED')) return [];
  const { place, flags, c, app } = o;
  // Groups of a build by buildpacks are no stages.
  const stage = app ? undefined : o.failed.stage;
  const notes: FailureNote[] = [];
  const lacks = flags.onError === 'shell' ? terminalLacking(c.io) : undefined;
  if (lacks !== undefined) notes.push({ label: 'note', text: `--on-error=shell: no shell was opened: ${lacks}` });
  const line = reproduceLine({ place, flags, ...c, stage, app, program: ownName(c.io) });
  if (line !== undefined && c.settings.on === undefined) notes.push({ label: 'reproduce', text: line });
  return notes;
}

/** Opens shells in steps that fail; undefined without a terminal. */
async function shellFor(io: Io, renderer: Renderer): Promise<BuildHost['failed']> {
  if (terminalLacking(io) !== undefined) return undefined;
  const { failedStepShell } = await import('./failed-step-shell.ts');
  return failedStepShell(io, renderer);
}

/** Why nobody could use a shell here. */
function terminalLacking({ stdin, stdout, stderr }: Io): string | undefined {
  if (stdin.isTTY !== true) return 'standard input is not a terminal';
  return stdout.isTerminal || stderr.isTerminal
    ? undefined
    : 'neither standard output nor standard error is a terminal';
}

/** What strake comes with, and buildpacks of this machine; root's, as modules in builders are. */
function offered(app: BuildpackPlan | undefined): [string, FileSource][] {
  const owner = { uid: 0, gid: 0 };
  return [...(app?.folders ?? [])].map(([name, folder]) => [name, folderSource(folder, { owner })]);
}

function sinksOf({ outputs, caches }: Planned): ReadonlyMap<string, SinkPlace> {
  const folders = [...caches.to.folders].map(([name, path]) => [name, { kind: 'folder', path }] as const);
  return new Map<string, SinkPlace>([...outputs.sinks, ...folders]);
}

/** What the frontend and the steps may read of this side. */
export function filesOf(
  context: BuildContext,
  named: ReadonlyMap<string, string>,
  { io, settings }: CliContext,
): Map<string, FileSource> {
  const cache = new StatCache(join(settings.root, 'context'), { random: io.random, clock: io.clock });
  const owner = { uid: 0, gid: 0 };
  const cached = (folder: string): FileSource => folderSource(folder, { cache, owner });
  const { folder, dockerfile, isLocal } = context;
  return new Map([
    ...(folder === undefined ? [] : [['context', isLocal ? cached(folder) : folderSource(folder, { owner })] as const]),
    ...(dockerfile ? [['dockerfile', folderSource(dockerfile.folder, { owner })] as const] : []),
    ...[...named].map(([name, folder]) => [`context-${name}`, cached(folder)] as const),
  ]);
}

/** `--iidfile` and `--metadata-file`. */
function writeFiles(
  result: BuildResult,
  ground: GroundReport | undefined,
  o: { flags: BuildFlags; cwd: string },
): void {
  const write = (flag: string, path: string, text: string): void => {
    try {
      writeFileSync(resolve(o.cwd, path), text);
    } catch (error) {
      const denied = hasErrno(error, 'EACCES', 'EPERM', 'EROFS');
      throw cliError(denied ? 'OUTPUT_DENIED' : 'OUTPUT_INVALID', `write ${flag} "${path}": ${reasonOf(error)}`, {
        cause: error,
        remedy: 'Name a file in a folder that is there and that this user may write to.',
      });
    }
  };
  const [image, ...others] = result.images;
  // Of several platforms, as buildx: the digest of their index.
  const index = others.length > 0 ? result.metadata['containerimage.digest'] : undefined;
  if (o.flags.iidfile !== undefined && image)
    write('--iidfile', o.flags.iidfile, typeof index === 'string' ? index : image.imageId);
  if (o.flags.metadataFile === undefined) return;
  const metadata = { ...result.metadata, ...(ground ? { 'strake.ground': ground } : {}) };
  write('--metadata-file', o.flags.metadataFile, `${JSON.stringify(metadata, undefined, 2)}\n`);
}

/** The image ID, then the manifest of every target that was written; on standard error where an archive takes standard output. */
function printResult(
  result: BuildResult,
  { outputs, request }: Planned,
  o: { quiet: boolean; talk: boolean; c: CliContext },
): void {
  const { io } = o.c;
  const out = outputs.usesStdout ? io.stderr : io.stdout;
  for (const [at, image] of result.images.entries()) {
    out.write(`${image.imageId}\n`);
    // What was written is the same for all platforms: their index.
    if (o.quiet || at < result.images.length - 1) continue;
    for (const { descriptor, names } of image.manifests)
      for (const name of names.length > 0 ? names.map(familiar) : ['manifest'])
        out.write(`${name}@${descriptor.digest}\n`);
  }
  const text = o.quiet || !o.talk || o.c.settings.on !== undefined ? '' : nextSteps(request.exports, io.errStyle);
  if (text !== '') io.stderr.write(text);
}

function familiar(name: string): string {
  return familiarReference(parseReference(name));
}

/** How the file that an error points into can be read: the Dockerfile. */
function sourceOf(error: unknown, context: BuildContext): ((file: string) => string | undefined) | undefined {
  const { dockerfile } = context;
  if (!(error instanceof CodedError) || !dockerfile || error.place?.file !== dockerfile.name) return undefined;
  const path = join(dockerfile.folder, dockerfile.name);
  let text: string | undefined;
  try {
    text = readFileSync(path, 'utf8');
  } catch {
    // The excerpt that the error carries is shown instead.
  }
  return () => text;
}
