import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { reasonOf, tempFolder } from '../../../base/index.ts';
import type { BlobReader } from '../../../blob/index.ts';
import { isRemote, type Target } from '../../../bake/index.ts';
import type { BuildEvent, BuildInput, BuildRequest, ImageMetadata } from '../../../engine/index.ts';
import { folderSource, StatCache, type FileSource } from '../../../tree/index.ts';
import type { BuildHost } from '../../../worker/index.ts';
import { namedFolder, openContext, type BuildContext } from '../build/context.ts';
import { planBuild, type BuildFlags, type Planned } from '../build/flags.ts';
import type { Clouds } from '../build/cloud-caches.ts';
import { offeredCaches } from '../build/local-caches.ts';
import { namedContexts } from '../build/named-contexts.ts';
import { projectOf } from '../build/project.ts';
import { cliError } from '../errors.ts';
import { localHost } from '../local-host.ts';
import type { SinkPlace } from '../parse/output.ts';
import { agentOf, checkSecret, secretOf, type AgentSource, type SecretSource } from '../parse/secret.ts';
import type { CliContext } from '../command.ts';
import { lazyCredentials } from '../settings.ts';
import { flagsOf } from './target-flags.ts';

/** What all targets of one bake are offered, under names that say where it is. */
export interface Offered {
  readonly files: Map<string, FileSource>;
  readonly blobs: Map<string, BlobReader>;
}

/** A target on its way to being built. */
export class TargetBuild implements Disposable {
  readonly name: string;
  readonly target: Target;
  readonly flags: BuildFlags;
  readonly context: BuildContext;
  readonly planned: Planned;
  /** Context names to the targets that they are. */
  readonly linked: ReadonlyMap<string, string>;
  readonly #options: Readonly<Record<string, string>>;
  readonly #place: string;
  readonly #secrets: ReadonlyMap<string, SecretSource>;
  readonly #agents: ReadonlyMap<string, AgentSource>;
  readonly #temp: Disposable | undefined;

  private constructor(o: {
    readonly target: Target;
    readonly flags: BuildFlags;
    readonly context: BuildContext;
    readonly planned: Planned;
    readonly linked: ReadonlyMap<string, string>;
    readonly options: Readonly<Record<string, string>>;
    readonly place: string;
    readonly secrets: ReadonlyMap<string, SecretSource>;
    readonly agents: ReadonlyMap<string, AgentSource>;
    readonly temp: Disposable | undefined;
  }) {
    this.name = o.target.name;
    this.target = o.target;
    this.flags = o.flags;
    this.context = o.context;
    this.planned = o.planned;
    this.linked = o.linked;
    this.#options = o.options;
    this.#place = o.place;
    this.#secrets = o.secrets;
    this.#agents = o.agents;
    this.#temp = o.temp;
  }

  /** Looks for all that the target names, before anything is built. Throws the errors of `strake build`. */
  static async open(
    target: Target,
    o: { readonly c: CliContext; readonly offered: Offered; readonly quiet: boolean },
  ): Promise<TargetBuild> {
    const { io, settings, signal } = o.c;
    const scratch = join(settings.root, 'tmp');
    const text = ownDockerfile(target, io.cwd);
    const inline = text === undefined ? undefined : inlineDockerfile(text, scratch, o.c);
    try {
      const { place, flags, linked } = flagsOf(target, { inline: inline?.file, quiet: o.quiet, env: io.env });
      const planned = planBuild(flags, { ...io, stdoutIsTerminal: io.stdout.isTerminal, insecure: settings.insecure });
      const secrets = new Map(flags.secret.map((text) => secretOf(text, io)).map(({ id, source }) => [id, source]));
      for (const [id, source] of secrets) checkSecret(id, source);
      const agents = new Map(flags.ssh.map((text) => agentOf(text, io)).map(({ id, source }) => [id, source]));
      const elsewhere = inline !== undefined && isRemote(place);
      const opened = await openContext(place, { io, scratch, signal, file: elsewhere ? undefined : flags.file });
      const context = elsewhere ? withDockerfile(opened, inline.file) : opened;
      try {
        const contexts = await namedContexts(flags, (text) => namedFolder(text, io));
        const options = offer({ context, contexts, name: target.name }, o);
        const links = Object.fromEntries([...linked].map(([name, other]) => [`context:${name}`, `target:${other}`]));
        const all = {
          ...planned.request.options,
          ...options,
          ...context.options,
          ...keysOf(context, io.cwd),
          ...links,
        };
        return new TargetBuild({
          target,
          flags,
          context,
          planned,
          linked,
          options: all,
          place,
          secrets,
          agents,
          temp: inline,
        });
      } catch (error) {
        context[Symbol.dispose]();
        throw error;
      }
    } catch (error) {
      inline?.[Symbol.dispose]();
      throw error;
    }
  }

  /** It must be over before a build that it is a context of begins: what it alone is given, or does anew, the other one has not. */
  get goesFirst(): boolean {
    const { secret, ssh, 'cache-from': caches, 'no-cache': fresh, 'no-cache-filter': stages } = this.target;
    return fresh === true || [secret, ssh, caches, stages].some((list) => (list?.length ?? 0) > 0);
  }

  /** This target as a context of another one. What was built anew for it is not built anew again. */
  input(builds: ReadonlyMap<string, TargetBuild>): BuildInput {
    const { 'no-cache': _, ...options } = this.#options;
    return { frontend: 'dockerfile', options, platforms: this.planned.request.platforms, inputs: this.#inputs(builds) };
  }

  request(
    builds: ReadonlyMap<string, TargetBuild>,
    emit: (event: BuildEvent) => void,
    o: { readonly c: CliContext; readonly offered: Offered; readonly clouds: Clouds; readonly anew: string },
  ): {
    readonly request: BuildRequest & ImageMetadata;
    readonly host: BuildHost;
  } {
    const { io } = o.c;
    const { planned, flags, context } = this;
    const caches = offeredCaches(planned.caches, { clouds: o.clouds, emit, now: () => io.clock.now() });
    const below = [...this.#below(builds)];
    const folders = [...planned.caches.to.folders].map(([name, path]) => [name, { kind: 'folder', path }] as const);
    const host = localHost({
      files: o.offered.files,
      // Its own go before those of the targets that it is made of.
      secrets: new Map([...below.flatMap((one) => [...one.#secrets]), ...this.#secrets]),
      agents: new Map([...below.flatMap((one) => [...one.#agents]), ...this.#agents]),
      sinks: new Map<string, SinkPlace>([...planned.outputs.sinks, ...folders]),
      blobs: new Map([...o.offered.blobs, ...caches.blobs]),
      objects: caches.objects,
      credentials: lazyCredentials(io),
      env: io.env,
      random: io.random,
    });
    const request = {
      ...planned.request,
      cacheFrom: caches.imports,
      cacheTo: caches.exports,
      anew: o.anew,
      project: projectOf(this.#place, { context, ...flags, platforms: planned.request.platforms }),
      options: this.#options,
      inputs: this.#inputs(builds),
    };
    return { request, host };
  }

  [Symbol.dispose](): void {
    this.context[Symbol.dispose]();
    this.#temp?.[Symbol.dispose]();
  }

  #inputs(builds: ReadonlyMap<string, TargetBuild>): Readonly<Record<string, BuildInput>> | undefined {
    if (this.linked.size === 0) return undefined;
    const names = [...new Set(this.linked.values())];
    return Object.fromEntries(
      names.flatMap((name) => {
        const build = builds.get(name);
        return build ? [[name, build.input(builds)] as const] : [];
      }),
    );
  }

  /** The targets that this one is made of, in any depth. */
  *#below(builds: ReadonlyMap<string, TargetBuild>): Iterable<TargetBuild> {
    for (const name of this.linked.values()) {
      const build = builds.get(name);
      if (!build) continue;
      yield build;
      yield* build.#below(builds);
    }
  }
}

/** A Dockerfile that does not lie in the context: inline, or of this machine where the context is elsewhere. */
function ownDockerfile(target: Target, cwd: string): string | undefined {
  const { 'dockerfile-inline': inline, dockerfile = '', context = '.' } = target;
  if (inline) return inline;
  if (!dockerfile.startsWith('cwd://') || !isRemote(context)) return undefined;
  const path = dockerfile.slice('cwd://'.length);
  try {
    return readFileSync(resolve(cwd, path), 'utf8');
  } catch (error) {
    throw cliError('DOCKERFILE_MISSING', `read Dockerfile "${path}" of target "${target.name}": ${reasonOf(error)}`, {
      cause: error,
    });
  }
}

function withDockerfile(context: BuildContext, path: string): BuildContext {
  const dockerfile = { folder: dirname(path), name: basename(path) };
  return { ...context, dockerfile, options: { ...context.options, filename: dockerfile.name } };
}

function inlineDockerfile(text: string, scratch: string, { io }: CliContext): { readonly file: string } & Disposable {
  mkdirSync(scratch, { recursive: true });
  const temp = tempFolder(scratch, io.random);
  const file = join(temp.path, 'Dockerfile');
  mkdirSync(temp.path, { recursive: true });
  writeFileSync(file, text);
  return { file, [Symbol.dispose]: () => temp[Symbol.dispose]() };
}

/** Names of the local sources: targets of one folder have the same, of two folders never. */
function keysOf(context: BuildContext, cwd: string): Record<string, string> {
  const { folder, dockerfile } = context;
  return {
    ...(folder === undefined ? {} : { contextkey: nameOf(folder, cwd) }),
    ...(dockerfile === undefined ? {} : { dockerfilekey: `${nameOf(dockerfile.folder, cwd)} (Dockerfile)` }),
  };
}

function nameOf(folder: string, cwd: string): string {
  const short = relative(cwd, folder);
  return short.startsWith('..') ? folder : `./${short}`;
}

/** Adds what a target reads of this side to what is offered; gives the frontend's words for its named contexts. */
function offer(
  {
    context,
    contexts,
    name,
  }: {
    readonly context: BuildContext;
    readonly contexts: Awaited<ReturnType<typeof namedContexts>>;
    readonly name: string;
  },
  o: { readonly c: CliContext; readonly offered: Offered },
): Record<string, string> {
  const { io, settings } = o.c;
  const { files, blobs } = o.offered;
  const cache = new StatCache(join(settings.root, 'context'), { random: io.random, clock: io.clock });
  const owner = { uid: 0, gid: 0 };
  const keys = keysOf(context, io.cwd);
  const add = (key: string | undefined, source: () => FileSource): void => {
    if (key !== undefined && !files.has(key)) files.set(key, source());
  };
  const { folder, dockerfile } = context;
  if (folder !== undefined)
    add(keys['contextkey'], () => folderSource(folder, context.isLocal ? { cache, owner } : { owner }));
  if (dockerfile) add(keys['dockerfilekey'], () => folderSource(dockerfile.folder, { owner }));
  const options: Record<string, string> = {};
  for (const [key, value] of Object.entries(contexts.options)) {
    const [, local] = /^local:context-([^]*)$/.exec(value) ?? [];
    const path = local === undefined ? undefined : contexts.folders.get(local);
    const [, store] = /^oci-layout:\/\/(context-[^]*)@sha256:/.exec(value) ?? [];
    const layout = store === undefined ? undefined : contexts.layouts.get(store);
    if (path !== undefined) {
      add(nameOf(path, io.cwd), () => folderSource(path, { cache, owner }));
      options[key] = `local:${nameOf(path, io.cwd)}`;
    } else if (store !== undefined && layout) {
      blobs.set(`${name}-${store}`, layout);
      options[key] = value.replace(store, `${name}-${store}`);
    } else options[key] = value;
  }
  return options;
}
