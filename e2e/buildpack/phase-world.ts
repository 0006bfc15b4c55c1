import { spawn, spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CHECKOUT } from '../lib/strake.ts';
import { launcher, write, writeBuildpack, type TestBuildpack } from './test-builder.ts';

/** The user of the builder. */
const ID = 1000;
const FOLDERS = ['layers', 'workspace', 'platform', 'cnb', 'cache'];

/** This machine's root with the folders of a build container in it, the caller's own: what a container of a builder image with this lifecycle is. */
const ENTER = `
set -eu
root=$1 own=$2; shift 2
mount -t tmpfs -o mode=755 none "$root"
for path in /*; do
  if [ -L "$path" ]; then cp -a "$path" "$root$path"
  elif [ -d "$path" ]; then
    case $path in ${FOLDERS.map((name) => `/${name}`).join('|')}) continue ;; esac
    mkdir "$root$path"; mount --rbind "$path" "$root$path"
  fi
done
for name in ${FOLDERS.join(' ')}; do mkdir "$root/$name"; mount --bind "$own/$name" "$root/$name"; done
exec chroot "$root" bash -c 'cd /workspace; exec "$@"' bash "$@"`;

export interface PhaseRun {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface PhaseCall {
  readonly env?: Readonly<Record<string, string>> | undefined;
  /** As root, who is to become the builder's user. */
  readonly asRoot?: boolean | undefined;
}

/** Why there can be none here, or undefined. */
export function phasesLacking(): string | undefined {
  if (process.getuid?.() !== 0) return 'only root can put a container together by hand';
  const missing = ['unshare', 'chroot', 'setpriv', 'bash'].filter(
    (tool) => spawnSync('sh', ['-c', `command -v ${tool}`]).status !== 0,
  );
  if (missing.length > 0) return `not installed: ${missing.join(', ')}`;
  const mounts = spawnSync('unshare', ['-m', 'sh', '-c', 'mount -t tmpfs none /mnt']);
  return mounts.status === 0 ? undefined : 'no mounts may be made here';
}

/** The folders of a build container, and the programs of strake's lifecycle called in it by their names. */
export class PhaseWorld implements Disposable {
  readonly folder = mkdtempSync(join(tmpdir(), 'strake-e2e-phases-'));
  readonly #root = join(this.folder, 'root');
  readonly #own = join(this.folder, 'own');

  /** `runImage` is what run.toml and stack.toml name. */
  constructor(o: { buildpacks: readonly TestBuildpack[]; runImage: string; app: Readonly<Record<string, string>> }) {
    chmodSync(this.folder, 0o755);
    mkdirSync(this.#root);
    const cnb = join(this.#own, 'cnb');
    for (const buildpack of o.buildpacks) {
      const { id, version = '1.0.0' } = buildpack;
      writeBuildpack(join(cnb, 'buildpacks', id.replaceAll('/', '_'), version), buildpack);
    }
    this.order(o.buildpacks.map(({ id }) => id));
    write(join(cnb, 'run.toml'), `[[images]]\nimage = "${o.runImage}"\n`);
    write(join(cnb, 'stack.toml'), `[run-image]\nimage = "${o.runImage}"\n`);
    mkdirSync(join(cnb, 'lifecycle'));
    cpSync(launcher(), join(cnb, 'lifecycle/launcher'));
    mkdirSync(join(this.#own, 'platform/env'), { recursive: true });
    for (const name of ['layers', 'workspace', 'cache']) this.reset(name);
    for (const [path, text] of Object.entries(o.app)) {
      writeFileSync(join(this.#own, 'workspace', path), text);
      chownSync(join(this.#own, 'workspace', path), ID, ID);
    }
  }

  /** order.toml: one group. */
  order(ids: readonly string[]): void {
    const groups = ids.map((id) => `[[order.group]]\nid = "${id}"\nversion = "1.0.0"\n`);
    write(join(this.#own, 'cnb/order.toml'), `[[order]]\n${groups.join('\n')}`);
  }

  /** An empty folder of the builder's user. */
  reset(name: string): void {
    const path = join(this.#own, name);
    rmSync(path, { recursive: true, force: true });
    mkdirSync(path, { mode: 0o755 });
    chownSync(path, ID, ID);
  }

  /** Gives a folder with all in it to the builder's user. */
  own(name: string): void {
    spawnSync('chown', ['-R', `${ID}:${ID}`, this.at(name)]);
  }

  /** A file or folder of the container, here. */
  at(path: string): string {
    return join(this.#own, path);
  }

  read(path: string): string {
    return existsSync(this.at(path)) ? readFileSync(this.at(path), 'utf8') : '';
  }

  /** Calls a program by its name, as a platform does. */
  run(phase: string, args: readonly string[], o: PhaseCall = {}): Promise<PhaseRun> {
    const user = o.asRoot ? [] : ['setpriv', `--reuid=${ID}`, `--regid=${ID}`, '--clear-groups'];
    const node = join(CHECKOUT, `node_modules/node-linux-${process.arch}/bin/node`);
    const call = ['bash', '-c', 'name=$1; shift; exec -a "$name" "$@"', 'bash', `/cnb/lifecycle/${phase}`];
    const argv = ['-m', '--propagation', 'private', 'bash', '-c', ENTER, 'bash', this.#root, this.#own];
    const child = spawn('unshare', [...argv, ...user, ...call, node, join(CHECKOUT, 'dist/main.cjs'), ...args], {
      env: {
        PATH: process.env['PATH'] ?? '/usr/bin:/bin',
        HOME: '/nowhere',
        CNB_USER_ID: String(ID),
        CNB_GROUP_ID: String(ID),
        ...o.env,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let [stdout, stderr] = ['', ''];
    child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
    return new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (code) => resolve({ code: code ?? 128, stdout, stderr }));
    });
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}
