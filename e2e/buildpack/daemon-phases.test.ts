import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { after, before, suite, test } from 'node:test';
import { parseReport } from '../../src/frontend/buildpack/index.ts';
import { lacking } from '../registry/world.ts';
import { BuilderWorld, containersLacking, type ContainerCall } from './builder-containers.ts';
import { write, type TestBuildpack } from './test-builder.ts';

/** Two layers; the first is made once and then taken over from the image before. */
const APP: TestBuildpack = {
  id: 'test/app',
  build: `
layers=$1
if [ -f "$layers/kept.toml" ]; then echo "kept: $(cat "$layers/kept.toml")"; else mkdir "$layers/kept"; echo once > "$layers/kept/made"; fi
printf '[types]\\nlaunch = true\\n[metadata]\\nversion = "1"\\n' > "$layers/kept.toml"
mkdir -p "$layers/fresh"; cp word "$layers/fresh/word"
printf '[types]\\nlaunch = true\\n' > "$layers/fresh.toml"
printf '[[processes]]\\ntype = "say"\\ncommand = ["cat", "/layers/test_app/kept/made", "/layers/test_app/fresh/word", "/etc/os-release"]\\ndefault = true\\n' > "$layers/launch.toml"
`,
};

/** Podman's service on a socket, with storage of its own. */
async function podman(
  folder: string,
): Promise<{ readonly socket: string; run(...args: string[]): string } & AsyncDisposable> {
  const places = ['--root', join(folder, 'containers'), '--runroot', join(folder, 'run'), '--storage-driver', 'vfs'];
  const all = [...places, '--cgroup-manager', 'cgroupfs', '--runtime', 'runc'];
  const socket = join(folder, 'podman.sock');
  const child = spawn('podman', [...all, 'system', 'service', '--time=0', `unix://${socket}`], { stdio: 'ignore' });
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  for (let attempt = 0; attempt < 200 && !existsSync(socket) && child.exitCode === null; attempt++) await wait(50);
  return {
    socket,
    run: (...args) =>
      execFileSync('podman', [...all, ...args], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] }),
    [Symbol.asyncDispose]: async () => {
      child.kill('SIGTERM');
      await ended;
      rmSync(join(folder, 'containers'), { recursive: true, force: true });
    },
  };
}

suite('the programs of the lifecycle on a daemon', { skip: containersLacking() ?? lacking('podman') ?? false }, () => {
  const stack = new AsyncDisposableStack();
  let w: BuilderWorld;
  let daemon: Awaited<ReturnType<typeof podman>>;
  before(async () => {
    w = stack.use(await BuilderWorld.open({ buildpacks: [APP] }));
    const folder = join(w.folder, 'podman');
    mkdirSync(folder);
    daemon = stack.use(await podman(folder));
    daemon.run('pull', '-q', '--tls-verify=false', '--creds=ann:word', `${w.host}/run`);
  });
  after(() => stack.disposeAsync());

  const limits = ['--rm', '--network', 'none', '--ulimit', 'nofile=1024:1024', '--ulimit', 'nproc=1024:1024'];
  const volumes = { '/layers': 'layers', '/workspace': 'workspace' };
  async function phase(program: string, args: readonly string[], o: Partial<ContainerCall> = {}): Promise<string> {
    const done = await w.run([`/cnb/lifecycle/${program}`, ...args], {
      volumes,
      ...o,
      env: { CNB_PLATFORM_API: '0.14', ...o.env },
      // Of root alone, as Docker's is.
      binds: o.asRoot === true ? { '/var/run/docker.sock': daemon.socket } : {},
    });
    assert.equal(done.code, 0, `${program}\n${done.stdout}\n${done.stderr}`);
    return done.stdout + done.stderr;
  }

  // As pack calls them without --publish.
  test('five phases: made in the daemon, taken over from it by the launch cache, run by it', async () => {
    const name = 'localhost/daemon:1';
    const launch = { asRoot: true, volumes: { ...volumes, '/launch-cache': 'home' } };
    const build = async (word: string): Promise<string> => {
      w.volumes({ app: { word }, keep: ['home'] });
      write(w.at('layers/run.toml'), `[[images]]\nimage = "${w.host}/run"\n`);
      let said = await phase(
        'analyzer',
        ['-daemon', '-run', '/layers/run.toml', '-run-image', `${w.host}/run`, '-launch-cache', '/launch-cache', name],
        launch,
      );
      said += await phase('detector', ['-app', '/workspace']);
      said += await phase('restorer', ['-daemon', '-cache-dir', '/cache'], {
        asRoot: true,
        volumes: { ...volumes, '/cache': 'cache' },
      });
      said += await phase('builder', ['-app', '/workspace']);
      said += await phase(
        'exporter',
        [
          '-daemon',
          '-launch-cache',
          '/launch-cache',
          '-app',
          '/workspace',
          '-cache-dir',
          '/cache',
          '-run',
          '/layers/run.toml',
          name,
          'localhost/more:1',
        ],
        {
          asRoot: true,
          volumes: { ...launch.volumes, '/cache': 'cache' },
        },
      );
      return said;
    };
    assert.match(await build('first\n'), /Image with name "localhost\/daemon:1" not found/);
    const { tags, imageId } = parseReport(w.read('layers/report.toml'), 'report.toml');
    assert.deepEqual(tags, [name, 'localhost/more:1']);
    assert.equal(
      daemon.run('inspect', '--format', '{{.Id}}', 'localhost/more:1').trim(),
      imageId?.replace('sha256:', ''),
    );
    assert.match(daemon.run('run', ...limits, name), /^once\nfirst\nID=testos/);
    assert.match(w.read('layers/analyzed.toml'), /\[run-image\]\n\s*reference = "(?:sha256:)?[0-9a-f]{64}"/);
    assert.ok(readdirSync(w.at('home/committed')).length > 4);
    const second = await build('second\n');
    assert.match(second, /kept: .*version = "1"[^]*Adding layer 'test\/app:fresh'[^]*Reusing layer 'test\/app:kept'/s);
    assert.match(second, /\*\*\* Images \([0-9a-f]{12}\):/);
    assert.match(daemon.run('run', ...limits, name), /^once\nsecond\n/);
    if (process.env['STRAKE_TEST_FULL'] !== '1') return;
    // Without the launch cache the layer comes out of the image before.
    rmSync(w.at('home/committed'), { recursive: true });
    await build('third\n');
    assert.match(daemon.run('run', ...limits, name), /^once\nthird\n/);
  });

  test('creator and rebaser', async () => {
    const name = 'localhost/created:1';
    w.volumes({ app: { word: 'word\n' } });
    await phase(
      'creator',
      [
        '-daemon',
        '-launch-cache',
        '/launch-cache',
        '-app',
        '/workspace',
        '-cache-dir',
        '/cache',
        '-run-image',
        `${w.host}/run`,
        name,
      ],
      {
        asRoot: true,
        volumes: { ...volumes, '/cache': 'cache', '/launch-cache': 'home' },
      },
    );
    assert.match(daemon.run('run', ...limits, name), /^once\nword\nID=testos/);
    const newer = join(w.folder, 'newer');
    write(join(newer, 'Dockerfile'), 'FROM run\nCOPY os-release /etc/os-release\n');
    write(join(newer, 'os-release'), 'ID=newer\n');
    await w.strake('build', '-q', '-t', `${w.host}/newer`, '-o', `type=docker-daemon,socket=${daemon.socket}`, newer);
    await phase(
      'rebaser',
      ['-daemon', '-run-image', `${w.host}/newer`, '-force', '-report', '/layers/rebased.toml', name],
      { asRoot: true },
    );
    assert.match(daemon.run('run', ...limits, name), /^once\nword\nID=newer/);
    assert.match(w.read('layers/rebased.toml'), /image-id = "/);
  });
});
