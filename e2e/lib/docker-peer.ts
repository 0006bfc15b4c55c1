import { execFile, execFileSync, spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** What a command said, and its code. */
export interface Said {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** The command that STRAKE_TEST_PEERS names: it runs its arguments where docker 28 and buildx are and this machine's / is at /host; loopback is shared. */
export function peersCommand(
  env: Readonly<Record<string, string | undefined>> = process.env,
): readonly string[] | undefined {
  const words = env['STRAKE_TEST_PEERS']?.split(' ').filter((word) => word !== '') ?? [];
  return words.length > 0 ? words : undefined;
}

/** Where a path of this machine is for the peers. */
export const inPeers = (path: string): string => `/host${path}`;

/** A Docker daemon of the peers' that is a test's own: its store, its network, its configuration of docker and buildx are in a folder. Needs root and iproute2. */
export class DockerPeer implements AsyncDisposable {
  readonly socket: string;
  readonly #folder: string;
  readonly #enter: readonly string[];
  readonly #bridge: string;
  readonly #process: ChildProcess;
  readonly #rules: readonly (readonly string[])[];

  private constructor(folder: string, enter: readonly string[]) {
    this.#folder = folder;
    this.#enter = enter;
    this.#bridge = `strk${process.pid}`;
    this.socket = join(folder, 'docker.sock');
    const at = inPeers(folder);
    const octet = (process.pid % 200) + 20;
    const ip = (...words: string[]): unknown => execFileSync('ip', words, { stdio: ['ignore', 'ignore', 'inherit'] });
    ip('link', 'add', this.#bridge, 'type', 'bridge');
    ip('addr', 'add', `10.213.${octet}.1/24`, 'dev', this.#bridge);
    ip('link', 'set', this.#bridge, 'up');
    this.#rules = [
      ['nat', 'POSTROUTING', '-s', `10.213.${octet}.0/24`, '!', '-o', this.#bridge, '-j', 'MASQUERADE'],
      ['filter', 'FORWARD', '-i', this.#bridge, '-j', 'ACCEPT'],
      ['filter', 'FORWARD', '-o', this.#bridge, '-j', 'ACCEPT'],
    ];
    for (const rule of this.#rules) iptables('-I', rule);
    const [program = '', ...before] = enter;
    const words = ['--config-file', `${at}/daemon.json`, '--data-root', `${at}/data`, '--exec-root', `${at}/exec`];
    const network = ['--bridge', this.#bridge, '--iptables=false', '--ip6tables=false'];
    this.#process = spawn(
      program,
      [...before, 'dockerd', ...words, '--pidfile', `${at}/pid`, '-H', `unix://${at}/docker.sock`, ...network],
      { stdio: ['ignore', 'ignore', 'ignore'], detached: true },
    );
  }

  /** `mirror`: the registry (host:port) that stands for Docker Hub. */
  static async start(
    folder: string,
    o: { readonly enter: readonly string[]; readonly mirror?: string | undefined },
  ): Promise<DockerPeer> {
    mkdirSync(join(folder, 'docker'), { recursive: true });
    const settings = {
      features: { 'containerd-snapshotter': true },
      builder: { Entitlements: { 'security-insecure': true, 'network-host': true } },
      ...(o.mirror === undefined ? {} : { 'registry-mirrors': [`http://${o.mirror}`] }),
    };
    writeFileSync(join(folder, 'daemon.json'), JSON.stringify(settings));
    const peer = new DockerPeer(folder, o.enter);
    for (let left = 200; left > 0; left--) {
      if (existsSync(peer.socket) && (await peer.run(['docker', 'version'])).code === 0) return peer;
      if (peer.#process.exitCode !== null) break;
      await sleep(100);
    }
    await peer[Symbol.asyncDispose]();
    throw new Error('dockerd of the peers did not come up');
  }

  /** As `--on` takes it. */
  get on(): string {
    return `docker+unix://${this.socket}`;
  }

  /** buildx's folder of instances, as DOCKER_CONFIG. */
  get config(): string {
    return join(this.#folder, 'docker');
  }

  /** A command among the peers, with docker's and buildx's configuration of this test's own. */
  run(
    words: readonly string[],
    o: { readonly input?: string | undefined; readonly env?: Readonly<Record<string, string>> | undefined } = {},
  ): Promise<Said> {
    const [program = '', ...before] = this.#enter;
    const env = {
      DOCKER_HOST: `unix://${inPeers(this.socket)}`,
      DOCKER_CONFIG: inPeers(this.config),
      NO_COLOR: '1',
      ...o.env,
    };
    const set = Object.entries(env).map(([name, value]) => `${name}=${value}`);
    return new Promise((resolve) => {
      const child = execFile(
        program,
        [...before, 'env', ...set, ...words],
        { timeout: 180_000, maxBuffer: 1 << 26 },
        (error, stdout, stderr) => resolve({ code: error ? Number(error.code ?? 1) : 0, stdout, stderr }),
      );
      child.stdin?.on('error', () => undefined);
      child.stdin?.end(o.input === undefined ? undefined : readFileSync(o.input));
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const pid = join(this.#folder, 'pid');
    if (existsSync(pid)) process.kill(Number(readFileSync(pid, 'utf8')), 'SIGTERM');
    else this.#process.kill('SIGTERM');
    if (this.#process.exitCode === null)
      await Promise.race([new Promise((resolve) => this.#process.once('exit', resolve)), sleep(15_000)]);
    for (const rule of this.#rules) iptables('-D', rule);
    execFileSync('ip', ['link', 'del', this.#bridge]);
  }
}

/** The way out for steps, beside what other Docker daemons of this machine have set up: dockerd's own rules would take theirs away. */
function iptables(action: '-I' | '-D', [table = '', chain = '', ...rule]: readonly string[]): void {
  spawnSync('iptables', ['-w', '-t', table, action, chain, ...rule], { stdio: 'ignore' });
}
