import { execFileSync, spawn } from 'node:child_process';
import { chmodSync, chownSync, existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { inContainer, plainContainer, type Ran } from '../inplace/container.ts';
import { emptyStore, type TestStore } from '../lib/store.ts';
import { ok } from '../lib/strake.ts';
import { dockerRegistry, lacking, scratchFolder, skopeo } from '../registry/world.ts';
import {
  buildTestBuilder,
  write,
  writeBuildpack,
  writeExtension,
  type TestBuildpack,
  type TestExtension,
} from './test-builder.ts';

/** The user of the builder. */
export const ID = 1000;
const LOGIN = Buffer.from('ann:word').toString('base64');
/** Volumes that platforms make for a build. */
const VOLUMES = ['layers', 'workspace', 'platform', 'cache', 'kaniko', 'home', 'report'];

export function containersLacking(): string | undefined {
  if (process.getuid?.() !== 0) return 'only root can start these containers';
  return lacking('docker-registry', 'htpasswd', 'skopeo', 'runc');
}

export interface Shown {
  readonly config: {
    readonly Env: readonly string[];
    readonly User?: string;
    readonly WorkingDir?: string;
    readonly Labels: Readonly<Record<string, string>>;
    readonly Entrypoint: readonly string[];
  };
  readonly rootfs: { readonly diff_ids: readonly string[] };
  readonly history: readonly { readonly created_by?: string }[];
}

export interface ContainerCall {
  readonly asRoot?: boolean | undefined;
  /** Its own root, thrown away afterwards; absent: that of the image, which it leaves as it was. */
  readonly fresh?: boolean | undefined;
  /** The image, "builder" by default. */
  readonly image?: string | undefined;
  readonly env?: Readonly<Record<string, string>> | undefined;
  /** What is mounted: names of volumes by places. */
  readonly volumes: Readonly<Record<string, string>>;
  /** More that is mounted: paths of this machine by places. */
  readonly binds?: Readonly<Record<string, string>> | undefined;
  /** As Kubernetes starts what may do nothing. */
  readonly restricted?: boolean | undefined;
}

/** A registry with a run image and a builder that `strake builder create` made, and containers of both as platforms start them. */
export class BuilderWorld implements AsyncDisposable {
  readonly store: TestStore;
  readonly host: string;
  readonly folder: string;
  #stack = new AsyncDisposableStack();
  readonly #roots = new Map<string, { readonly root: string; readonly shown: Shown }>();

  private constructor(o: { store: TestStore; host: string; folder: string }) {
    this.store = o.store;
    this.host = o.host;
    this.folder = o.folder;
  }

  static async open(o: {
    buildpacks: readonly TestBuildpack[];
    extensions?: readonly TestExtension[] | undefined;
  }): Promise<BuilderWorld> {
    await using stack = new AsyncDisposableStack();
    const store = stack.use(emptyStore());
    const { path: folder } = stack.use(scratchFolder());
    // Volumes belong to somebody else.
    chmodSync(folder, 0o755);
    const { host } = stack.use(await dockerRegistry(folder, { users: { ann: 'word' } }));
    write(join(folder, 'docker/config.json'), JSON.stringify({ auths: { [host]: { auth: LOGIN } } }));
    const world = new BuilderWorld({ store, host, folder });
    await buildTestBuilder(store, { buildpacks: [] });
    await world.strake('copy', 'run', `docker://${host}/run`);
    await world.strake('copy', 'builder', `docker://${host}/base`);
    const lines = [`[build]\nimage = "${host}/base"\n[[run.images]]\nimage = "${host}/run"\n`];
    const add = (kind: 'buildpack' | 'extension', ids: readonly string[]): void => {
      if (ids.length === 0) return;
      const order = kind === 'buildpack' ? 'order' : 'order-extensions';
      for (const id of ids) lines.push(`[[${kind}s]]\nuri = "${kind}s/${id}"\n`);
      lines.push(`[[${order}]]\n`, ...ids.map((id) => `[[${order}.group]]\nid = "${id}"\nversion = "1.0.0"\n`));
    };
    for (const one of o.buildpacks) writeBuildpack(join(folder, 'buildpacks', one.id), one);
    for (const one of o.extensions ?? []) writeExtension(join(folder, 'extensions', one.id), one);
    add(
      'buildpack',
      o.buildpacks.map(({ id }) => id),
    );
    add(
      'extension',
      (o.extensions ?? []).map(({ id }) => id),
    );
    write(join(folder, 'builder.toml'), lines.join('\n'));
    await world.strake('builder', 'create', `${host}/builder`, '-c', join(folder, 'builder.toml'), '--publish', '-q');
    world.#stack = stack.move();
    return world;
  }

  strake(...args: readonly string[]): ReturnType<typeof ok> {
    return ok(args, { root: this.store.root, env: { DOCKER_CONFIG: join(this.folder, 'docker') } });
  }

  get auth(): Record<string, string> {
    return { CNB_REGISTRY_AUTH: JSON.stringify({ [this.host]: `Basic ${LOGIN}` }) };
  }

  async shown(name: string): Promise<Shown> {
    const image = `docker://${this.host}/${name}`;
    const said = await skopeo(this.folder, 'inspect', '--config', '--tls-verify=false', '--creds', 'ann:word', image);
    return JSON.parse(said) as Shown;
  }

  /** A file or folder of a volume, here. */
  at(path: string): string {
    return join(this.folder, 'volumes', path);
  }

  read(path: string): string {
    return existsSync(this.at(path)) ? readFileSync(this.at(path), 'utf8') : '';
  }

  /** Volumes of a new build, its source in one of them; what is named of the one before is kept. */
  volumes(o: { app: Readonly<Record<string, string>>; keep?: readonly string[] }): void {
    for (const name of VOLUMES) {
      if (o.keep?.includes(name) !== true) rmSync(this.at(name), { recursive: true, force: true });
      mkdirSync(this.at(name), { recursive: true });
    }
    for (const [path, text] of Object.entries(o.app)) write(this.at(join('workspace', path)), text);
    for (const name of ['layers', 'workspace', 'home', 'report'])
      execFileSync('chown', ['-R', `${ID}:${ID}`, this.at(name)]);
    // A persistent volume, made ready for the pod's group.
    chownSync(this.at('cache'), ID, ID);
    // An emptyDir.
    chmodSync(this.at('kaniko'), 0o777);
    mkdirSync(this.at('platform/env'), { recursive: true });
  }

  /** A container with this command. */
  async run(command: readonly string[], o: ContainerCall): Promise<Ran> {
    const { root, shown } = await this.#rootOf(o.image ?? 'builder');
    using stack = new DisposableStack();
    let rootfs = root;
    if (o.fresh === true) {
      rootfs = join(this.folder, `root-${serial++}`);
      execFileSync('cp', ['-a', '--reflink=auto', root, rootfs]);
      stack.defer(() => rmSync(rootfs, { recursive: true, force: true }));
    }
    const [uid = ID, gid = ID] = (o.asRoot === true ? '0:0' : (shown.config.User ?? '0:0')).split(':').map(Number);
    return await inContainer(command, {
      rootfs,
      runtime: 'runc',
      user: { uid, gid },
      capabilities: o.restricted === true ? 'none' : undefined,
      cwd: shown.config.WorkingDir ?? '/',
      env: [...shown.config.Env, ...Object.entries(o.env ?? {}).map(([name, value]) => `${name}=${value}`)],
      binds: {
        ...Object.fromEntries(Object.entries(o.volumes).map(([place, name]) => [place, this.at(name)])),
        ...o.binds,
      },
    });
  }

  /** A path of an image's own root, as it was made. */
  async inRoot(image: string, path: string): Promise<string> {
    return join((await this.#rootOf(image)).root, path);
  }

  /** What the web process of an image answers to a request for `path`. */
  async answer(name: string, path = ''): Promise<string> {
    const { root, shown } = await this.#rootOf(name);
    const port = await freePort();
    const [uid = 0, gid = 0] = (shown.config.User ?? '').split(':').map(Number);
    using container = plainContainer(shown.config.Entrypoint, {
      rootfs: root,
      runtime: 'runc',
      user: { uid, gid },
      cwd: shown.config.WorkingDir ?? '/',
      env: [...shown.config.Env, `PORT=${port}`],
    });
    const [program = '', ...args] = container.command;
    const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'pipe'] });
    let said = '';
    child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
    const ended = new Promise((resolve) => child.once('close', resolve));
    try {
      for (let attempt = 0; attempt < 100 && child.exitCode === null; attempt++) {
        const response = await fetch(`http://127.0.0.1:${port}/${path}`).catch(() => undefined);
        if (response) return await response.text();
        await wait(50);
      }
      throw new Error(`"${name}" does not answer: ${said}`);
    } finally {
      const [, , state = ''] = container.command;
      if (child.exitCode === null)
        execFileSync(program, ['--root', state, 'kill', container.command.at(-1) ?? '', 'KILL']);
      await ended;
    }
  }

  async #rootOf(name: string): Promise<{ readonly root: string; readonly shown: Shown }> {
    const known = this.#roots.get(name);
    if (known) return known;
    const context = join(this.folder, 'contexts', name);
    const root = join(this.folder, 'roots', name);
    write(join(context, 'Dockerfile'), `FROM ${this.host}/${name}\n`);
    await this.strake('build', '-q', '--pull', '-o', `type=local,dest=${root}`, context);
    const found = { root, shown: await this.shown(name) };
    this.#roots.set(name, found);
    return found;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }
}

let serial = 0;

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
