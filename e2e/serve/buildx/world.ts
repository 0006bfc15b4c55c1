import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { getFreePort } from '../../lib/free-port.ts';
import { DockerPeer, inPeers, type Said } from '../../lib/docker-peer.ts';
import { FileServer } from '../../lib/file-server.ts';
import { GitServer } from '../../lib/git-server.ts';
import { rootWith } from '../../lib/buildkitd.ts';
import { Daemon } from '../client.ts';
import { dockerfiles } from './dockerfiles.ts';
import type { Line } from './line.ts';

/** Whose BuildKit: strake's daemon, or the one in docker 28. */
export type Side = 'ours' | 'theirs';

/** What one line did on one side. */
export interface Seen extends Said {
  readonly side: Side;
  /** The folder that OUT stood for. */
  readonly out: string;
  /** Places and names that stand in the words of a line, in what was said too: they are put back. */
  readonly plain: (text: string) => string;
}

const BUILDER = 'strake-test';

/** docker 28, a daemon of strake's that its buildx knows, and what builds need: a registry, a git server, a web server, an ssh agent, files. */
export class World implements AsyncDisposable {
  readonly folder: string;
  readonly #left = new AsyncDisposableStack();
  #peer: DockerPeer | undefined;
  #registry = '';
  #git = '';
  #web = '';
  #commit = '';
  #checksum = '';

  private constructor(folder: string) {
    this.folder = folder;
    this.#left.defer(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }));
  }

  static async open(folder: string, enter: readonly string[]): Promise<World> {
    const world = new World(folder);
    try {
      await world.#open(enter);
      return world;
    } catch (error) {
      await world[Symbol.asyncDispose]();
      throw error;
    }
  }

  get peer(): DockerPeer {
    assert.ok(this.#peer);
    return this.#peer;
  }

  async #open(enter: readonly string[]): Promise<void> {
    const { folder } = this;
    this.#registry = await this.#startRegistry();
    const git = this.#left.use(await GitServer.open());
    const web = this.#left.use(await FileServer.open());
    [this.#git, this.#web] = [git.url, web.url];
    this.#startAgent();
    this.#writeFiles();
    this.#fillServers(git, web);
    const granted = ['network.host', 'security.insecure'].map((name) => `--allow-insecure-entitlement=${name}`);
    const settings = `[registry."docker.io"]\nmirrors = ["${this.#registry}"]\n[registry."${this.#registry}"]\nhttp = true\n`;
    this.#write('buildkitd.toml', settings);
    const daemon = this.#left.use(
      await Daemon.start(join(folder, 'daemon'), ['--config', join(folder, 'buildkitd.toml'), ...granted]),
    );
    this.#peer = this.#left.use(await DockerPeer.start(join(folder, 'docker'), { enter, mirror: this.#registry }));
    const made = await this.peer.run([
      'docker',
      'buildx',
      'create',
      '--name',
      BUILDER,
      '--driver',
      'remote',
      `unix://${inPeers(daemon.socket)}`,
    ]);
    assert.equal(made.code, 0, made.stderr);
    const base = ['build', '--provenance=false', '-f', 'HOST/base.Dockerfile', 'HOST/base'];
    await this.ready('theirs', [...base, '--push', '-t', 'REG/base:1']);
    await this.ready('theirs', [...base, '-o', 'type=oci,tar=false,name=base:1,dest=HOST/layout']);
    await this.ready('theirs', [
      'build',
      '--provenance=false',
      '--push',
      '-t',
      'REG/docker/buildkit-syft-scanner:stable-1',
      '-f',
      'HOST/scanner.Dockerfile',
      'HOST/context',
    ]);
  }

  /** A line that is not looked at: it has to work. */
  async ready(side: Side, words: readonly string[]): Promise<void> {
    const seen = await this.run(side, { words });
    assert.equal(seen.code, 0, `${words.join(' ')}: ${seen.stdout}${seen.stderr}`);
  }

  async run(side: Side, line: Pick<Line, 'words' | 'stdin' | 'env'>): Promise<Seen> {
    const out = join(this.folder, side);
    mkdirSync(out, { recursive: true });
    const builder = side === 'ours' ? BUILDER : 'default';
    const [first = '', ...rest] = line.words.map((word) => this.fill(word, side, inPeers));
    const words =
      first === 'history' || first === 'imagetools'
        ? [first, ...rest.slice(0, 1), '--builder', builder, ...rest.slice(1)]
        : [first, '--builder', builder, ...rest];
    const isBuild = first === 'build' && !rest.some((word) => word === '--call' || word.startsWith('--progress'));
    const env = Object.fromEntries(
      Object.entries(line.env ?? {}).map(([name, value]) => [name, this.fill(value, side, inPeers)]),
    );
    const said = await this.peer.run(['docker', 'buildx', ...words, ...(isBuild ? ['--progress=plain'] : [])], {
      input: line.stdin === undefined ? undefined : this.fill(line.stdin, side, (path) => path),
      env,
    });
    const places: readonly (readonly [string, string])[] = [
      [inPeers(out), 'OUT'],
      [out, 'OUT'],
      [inPeers(this.folder), 'HOST'],
      [this.folder, 'HOST'],
      [`${this.#registry}/${side === 'ours' ? 'o-' : 't-'}`, 'REG/'],
      [this.#registry, 'REG'],
      [this.#git, 'GIT'],
      [this.#web, 'WEB'],
    ];
    const plain = (text: string): string => places.reduce((all, [value, word]) => all.replaceAll(value, word), text);
    return { ...said, side, out, plain };
  }

  /** A word of a line: HOST is the folder of inputs, OUT one of the side's own, REG the registry (but for what is there for both, names of a side's own), GIT and WEB the servers. */
  fill(text: string, side: Side, at: (path: string) => string): string {
    return text
      .replaceAll('OUT', at(join(this.folder, side)))
      .replaceAll('HOST', at(this.folder))
      .replaceAll(/REG\/(?!base|docker\/|none)/g, `${this.#registry}/${side === 'ours' ? 'o' : 't'}-`)
      .replaceAll('REG', this.#registry)
      .replaceAll('GIT', this.#git)
      .replaceAll('WEB', this.#web)
      .replaceAll('COMMIT', this.#commit)
      .replaceAll('CHECKSUM', this.#checksum);
  }

  async #startRegistry(): Promise<string> {
    const address = `127.0.0.1:${await getFreePort()}`;
    const config = join(this.folder, 'registry.yml');
    const storage = join(this.folder, 'registry');
    writeFileSync(
      config,
      `version: 0.1\nlog: {level: error}\nstorage: {filesystem: {rootdirectory: ${storage}}}\nhttp: {addr: "${address}"}\n`,
    );
    const child = spawn('docker-registry', ['serve', config], { stdio: 'ignore' });
    this.#left.defer(() => void child.kill());
    for (let left = 100; left > 0; left--) {
      const ready = await fetch(`http://${address}/v2/`).then(
        () => true,
        () => false,
      );
      if (ready) return address;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    throw new Error('docker-registry did not come up');
  }

  /** One with one key, at `agent.sock`. */
  #startAgent(): void {
    const socket = join(this.folder, 'agent.sock');
    const child = spawn('ssh-agent', ['-D', '-a', socket], { stdio: 'ignore' });
    this.#left.defer(() => void child.kill());
    const key = join(this.folder, 'key');
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', 'of the test', '-f', key]);
    const add = (): number | null =>
      spawnSync('ssh-add', ['-q', key], { env: { ...process.env, SSH_AUTH_SOCK: socket } }).status;
    for (let left = 50; add() !== 0; left--) {
      if (left === 0) throw new Error('ssh-agent did not come up');
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 100);
    }
  }

  #writeFiles(): void {
    const { folder } = this;
    const base = join(folder, 'base');
    for (const name of ['bin', 'dev', 'proc', 'sys', 'tmp', 'etc', 'root'])
      mkdirSync(join(base, name), { recursive: true });
    rootWith(base, ['busybox', 'ssh-add']);
    for (const name of [
      'cat',
      'chmod',
      'date',
      'df',
      'echo',
      'env',
      'grep',
      'id',
      'ls',
      'mkdir',
      'mount',
      'nc',
      'rm',
      'sed',
      'sha256sum',
      'sleep',
      'sort',
      'stat',
      'test',
      'touch',
      'wget',
    ])
      symlinkSync('sh', join(base, 'bin', name));
    const files: Readonly<Record<string, string>> = {
      'base/etc/passwd': 'root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000::/root:/bin/sh\n',
      'base/etc/group': 'root:x:0:\nuser:x:1000:\n',
      'base.Dockerfile': 'FROM scratch\nCOPY . /\nENV PATH=/bin\nCMD ["sh"]\n',
      'context/a.txt': 'a\n',
      'context/sub/b.txt': 'b\n',
      'context/sub/deep/c.txt': 'c\n',
      'context/left-out.log': 'not sent\n',
      'context/.dockerignore': '*.log\n',
      'other/o.txt': 'other\n',
      secret: 'very secret\n',
    };
    for (const [name, text] of Object.entries(files)) this.#write(name, text);
  }

  #write(name: string, text: string): void {
    const path = join(this.folder, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
  }

  #fillServers(git: GitServer, web: FileServer): void {
    const { folder } = this;
    const repository = git.repository('repo.git');
    repository.commit({
      'in-git.txt': 'first\n',
      'folder/f.txt': 'f\n',
      'folder/Dockerfile': 'FROM scratch\nCOPY f.txt /\n',
    });
    repository.git('tag', 'v1');
    this.#commit = repository.commit({
      'in-git.txt': 'second\n',
      Dockerfile: 'FROM scratch\nCOPY in-git.txt /\nCOPY folder /folder/\n',
    });
    this.#checksum = `sha256:${createHash('sha256').update('fetched\n').digest('hex')}`;
    const common = {
      registry: this.#registry,
      git: git.url,
      web: web.url,
      commit: this.#commit,
      checksum: this.#checksum,
    };
    for (const [name, text] of Object.entries(dockerfiles(common)))
      this.#write(name === '' ? 'context/Dockerfile' : name.includes('.') ? name : `${name}.Dockerfile`, text);
    for (const side of ['ours', 'theirs'] as const)
      this.#write(`${side}/bake.hcl`, this.fill(readFileSync(join(folder, 'bake.hcl'), 'utf8'), side, inPeers));
    execFileSync('tar', ['-C', join(folder, 'context'), '-cf', join(folder, 'context.tar'), '.']);
    execFileSync('tar', ['-C', join(folder, 'context'), '-czf', join(folder, 'context.tar.gz'), '.']);
    const modified = { 'last-modified': 'Thu, 02 Jan 2020 03:04:05 GMT' };
    web.file('/context.tar.gz', readFileSync(join(folder, 'context.tar.gz')), modified);
    web.file('/fetched.txt', 'fetched\n', modified);
    web.file('/Dockerfile', `FROM ${this.#registry}/base:1\nRUN echo web > /web\n`, modified);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#left.disposeAsync();
  }
}
