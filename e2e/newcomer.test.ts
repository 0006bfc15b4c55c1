import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite, test, type TestContext } from 'node:test';
import { leftovers } from './lib/leftovers.ts';
import { CHECKOUT } from './lib/strake.ts';
import { freePort } from './machine/running.ts';
import { testUser, userFolder, userLacking, type TestUser } from './lib/user.ts';

const FULL = process.env['STRAKE_TEST_FULL'] === '1';

/** What a newcomer's shell finds: the system's programs, none of ours. */
const PATH = (process.env['PATH'] ?? '')
  .split(':')
  .filter((folder) => !folder.includes('node_modules'))
  .join(':');

/** The machine's settings for npm and proxies stay in force; what the tests or an npm around them set does not. */
const ENV: NodeJS.ProcessEnv = {
  ...Object.fromEntries(
    Object.entries(process.env).filter(
      ([name]) =>
        !/^(STRAKE_|XDG_DATA_HOME$|NODE_(OPTIONS|COMPILE_CACHE)|INIT_CWD$|npm_(lifecycle|package|command|execpath|node_execpath|config_local_prefix))/.test(
          name,
        ),
    ),
  ),
  PATH,
  NO_COLOR: '1',
};

interface Newcomer {
  readonly home: string;
  readonly clone: string;
  readonly user?: TestUser | undefined;
}

interface Said {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A command as the newcomer types it, in the clone. */
function type(who: Newcomer, command: string, ...args: readonly string[]): ReturnType<typeof spawn> {
  const [program = '', ...rest] = [...(who.user?.prefix ?? []), command, ...args];
  return spawn(program, rest, {
    cwd: who.clone,
    env: { ...ENV, ...(who.user ? { HOME: who.home } : { XDG_DATA_HOME: join(who.home, 'data') }) },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

function said(child: ReturnType<typeof spawn>): Promise<Said> {
  let [stdout, stderr] = ['', ''];
  child.stdout?.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr?.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => resolve({ code: code ?? -1, stdout, stderr }));
  });
}

function clone(to: string): void {
  const { status, stderr } = spawnSync('git', ['clone', '-q', '--no-hardlinks', CHECKOUT, to], { encoding: 'utf8' });
  assert.equal(status, 0, stderr);
}

/** `./strake build examples/hello -t hello`; undefined when what it needs cannot be reached from here. */
async function build(t: TestContext, who: Newcomer): Promise<Said | undefined> {
  const built = await said(type(who, './strake', 'build', 'examples/hello', '-t', 'hello', '--progress=plain'));
  if (built.code === 69) {
    t.skip(`something cannot be reached: ${built.stderr.trim().split('\n').slice(-3).join(' ')}`);
    return undefined;
  }
  assert.equal(built.code, 0, built.stderr);
  assert.match(built.stdout, /^sha256:[0-9a-f]{64}$/m, 'the image ID');
  assert.match(built.stderr, /strake run hello/, 'what to do next');
  assert.match(built.stderr, /\[build \d\/\d\] RUN gcc.*/);
  assert.match(built.stderr, /steps run with /, 'what the steps ran on');
  return built;
}

/** `./strake build examples/NAME -t NAME` by buildpacks: an image ID, or what cannot be reached from here. */
async function buildApp(who: Newcomer, name: string): Promise<string | { readonly unreachable: string }> {
  const built = await said(type(who, './strake', 'build', `examples/${name}`, '-t', name, '--progress=plain'));
  if (built.code === 69) return { unreachable: built.stderr.trim().split('\n').slice(-3).join(' ') };
  assert.equal(built.code, 0, built.stderr);
  assert.match(built.stdout, /^sha256:[0-9a-f]{64}$/m, 'the image ID');
  return built.stdout;
}

/** `./strake run NAME` serves, and ends by Ctrl-C. */
async function run(who: Newcomer, name = 'hello'): Promise<void> {
  const child = type(who, './strake', 'run', name);
  const ended = said(child);
  let heard = '';
  const url = await new Promise<string>((resolve, reject) => {
    child.stderr?.on('data', (chunk: Buffer) => {
      heard += chunk.toString();
      const found = /https?:\/\/\S+/.exec(heard);
      if (found) resolve(found[0]);
    });
    child.once('close', () => reject(new Error(`it ended without serving: ${heard}`)));
  });
  const answer = await fetch(url, { headers: { connection: 'close' } });
  assert.equal(answer.status, 200);
  assert.match(await answer.text(), /hello|<title>/i);
  child.kill('SIGINT');
  const { code, stderr } = await ended;
  assert.ok(code === 0 || code === 130 || code === 143, `ended with ${code}: ${stderr}`);
}

/** `./strake run -d -p … NAME` serves when the command has ended, until `./strake stop`; its log is there afterwards. */
async function runInBackground(who: Newcomer, name = 'hello'): Promise<void> {
  const strake = async (...args: readonly string[]): Promise<string> => {
    const { code, stdout, stderr } = await said(type(who, './strake', ...args));
    assert.equal(code, 0, `strake ${args.join(' ')}: ${stderr}`);
    return stdout;
  };
  const port = await freePort();
  // The same number inside, for machines where nothing can lead one to another.
  await strake(
    'run',
    '-d',
    '--name',
    'kept',
    '-e',
    `PORT=${port}`,
    '-p',
    `${port}:${port}`,
    '--restart=on-failure',
    name,
  );
  try {
    for (let looks = 0; ; looks++) {
      const answer = await fetch(`http://127.0.0.1:${port}`, { headers: { connection: 'close' } }).catch(
        () => undefined,
      );
      if (answer) {
        assert.equal(answer.status, 200);
        assert.match(await answer.text(), /hello|<title>/i);
        break;
      }
      assert.ok(looks < 200, `nothing answers: ${await strake('logs', 'kept')}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    assert.match(await strake('ps'), / kept$/m);
    await strake('stop', 'kept');
    assert.match(await strake('ps', '-a'), /Exited \(\d+\).* kept$/m);
    assert.equal((await strake('start', 'kept')).trim(), 'kept');
  } finally {
    await strake('rm', '-f', 'kept');
  }
}

const lacking = ((): string | undefined => {
  for (const tool of ['git', 'npm'])
    if (spawnSync('sh', ['-c', `command -v ${tool}`], { env: ENV }).status !== 0) return `not installed: ${tool}`;
  if (!existsSync(join(CHECKOUT, '.git'))) return 'this is no checkout that can be cloned';
  // npm asks the registry that its own configuration names.
  const asked = spawnSync('npm', ['view', 'commander', 'version', '--fetch-retries=0', '--fetch-timeout=15000'], {
    cwd: CHECKOUT,
    env: ENV,
  });
  return asked.status === 0 ? undefined : 'the npm registry cannot be reached';
})();

suite('two commands from a fresh clone (must show 1)', { skip: lacking ?? false }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'strake-e2e-newcomer-'));
  const first: Newcomer = { home: folder, clone: join(folder, 'clone') };
  test.after(() => rmSync(folder, { recursive: true, force: true }));

  test('as whoever runs the tests: first use installs, says so, builds and runs', async (t) => {
    clone(first.clone);
    assert.equal(existsSync(join(first.clone, 'node_modules')), false);
    const built = await build(t, first);
    if (!built) return;
    assert.match(built.stderr, /^strake: first use.*npm ci/m);
    await run(first);
    await runInBackground(first);
    const again = await said(type(first, './strake', 'build', 'examples/hello', '-t', 'hello', '--progress=plain'));
    assert.equal(again.stdout, built.stdout, 'the same image');
    assert.doesNotMatch(again.stderr, /first use|^#\d+ DONE.*\n#\d+ \[build/m);
    assert.deepEqual(leftovers(join(folder, 'data/strake')), []);
    const dirty = spawnSync('git', ['-C', first.clone, 'status', '--porcelain'], { encoding: 'utf8' });
    assert.equal(dirty.stdout, '', 'the clone is as clean as before');
  });

  // The three others take their turns at full size: each fetches a language.
  for (const name of ['node-app', ...(FULL ? ['python-app', 'static-site', 'procfile-app'] : [])])
    test(`an application without a Dockerfile: ${name}`, async (t) => {
      const built = await buildApp(first, name);
      if (typeof built !== 'string') return t.skip(`something cannot be reached: ${built.unreachable}`);
      await run(first, name);
      await runInBackground(first, name);
      assert.equal(await buildApp(first, name), built, 'the same image');
      assert.deepEqual(leftovers(join(folder, 'data/strake')), []);
    });

  test('as an ordinary user', { skip: userLacking() ?? false }, async (t) => {
    using user = testUser();
    const who: Newcomer = { home: user.home, clone: join(user.home, 'clone'), user };
    clone(who.clone);
    // What the first one installed and fetched, so that this one need not.
    for (const part of ['node_modules', 'dist'])
      if (existsSync(join(first.clone, part)))
        cpSync(join(first.clone, part), join(who.clone, part), { recursive: true, preserveTimestamps: true });
    const cache = join(folder, 'data/strake/packages');
    const data = userFolder(user, '.local/share/strake');
    if (existsSync(cache)) cpSync(cache, join(data, 'packages'), { recursive: true, preserveTimestamps: true });
    mkdirSync(data, { recursive: true });
    assert.equal(spawnSync('chown', ['-R', `${user.uid}:${user.gid}`, user.home]).status, 0);
    if (!(await build(t, who))) return;
    await run(who);
    await runInBackground(who);
    assert.deepEqual(leftovers(data), []);
  });
});
