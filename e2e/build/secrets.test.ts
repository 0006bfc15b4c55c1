import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { chmodSync, chownSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { failsWith } from '../lib/failure.ts';
import { hostTools } from '../lib/host-tools.ts';
import { leftovers } from '../lib/leftovers.ts';
import { foundBelow, foundIn, formsOf, type Needles } from '../lib/search.ts';
import { BASE, storeWithBase, type TestStore } from '../lib/store.ts';
import { ok, strake, type StrakeOptions } from '../lib/strake.ts';
import { testUser, userLacking, type TestUser } from '../lib/user.ts';

const USES = '--mount=type=secret,id=token --mount=type=secret,id=token,env=TOKEN --mount=type=secret,id=word,env=WORD';

/** The step proves what it has by digests, signs with each key, and then waits, for its surroundings to be looked at. */
const dockerfile = (loader: string): string => `FROM ${BASE}
RUN ${USES} --mount=type=ssh --mount=type=ssh,id=other,target=/run/other.sock \\
    --mount=type=bind,source=tools,target=/tools --mount=type=cache,id=sync,target=/sync <<EOF
set -eu
sha256sum < /run/secrets/token | cut -d' ' -f1 > /digests
printf %s "$TOKEN" | sha256sum | cut -d' ' -f1 >> /digests
printf %s "$WORD" | sha256sum | cut -d' ' -f1 >> /digests
stat -c '%a %u:%g %F' /run/secrets/token $SSH_AUTH_SOCK /run/other.sock
if touch /run/secrets/token; then exit 9; fi
tool() { name=$1; shift; /tools/lib/${loader} --library-path /tools/lib /tools/$name "$@"; }
tool ssh-add -l
echo signed > /signed-default
cp /signed-default /signed-other
tool ssh-keygen -q -Y sign -U -n strake -f /tools/default.pub /signed-default
SSH_AUTH_SOCK=/run/other.sock tool ssh-keygen -q -Y sign -U -n strake -f /tools/other.pub /signed-other
if SSH_AUTH_SOCK=/run/other.sock tool ssh-add -D; then exit 9; fi
touch /sync/ready
while [ ! -e /sync/go ]; do sleep 0.05; done
EOF
`;

interface World extends Disposable {
  readonly store: TestStore;
  readonly context: string;
  readonly options: StrakeOptions;
  readonly args: readonly string[];
  readonly needles: Needles;
  readonly token: Buffer;
  readonly word: string;
}

/** A context, two secrets, a key in a file and one in an ssh-agent. */
async function worldOf(user: TestUser | undefined): Promise<World> {
  using stack = new DisposableStack();
  const store = stack.use(await storeWithBase(user));
  const context = join(store.work, 'context');
  const tools = join(context, 'tools');
  mkdirSync(tools, { recursive: true });
  const loader = hostTools(tools, ['ssh-add', 'ssh-keygen']);
  writeFileSync(join(context, 'Dockerfile'), dockerfile(loader));
  const give = (path: string): string => {
    if (user) chownSync(path, user.uid, user.gid);
    return path;
  };
  const keys = join(store.work, 'keys');
  mkdirSync(keys);
  give(keys);
  const needles: Needles[number][] = [];
  for (const [name, type] of [
    ['default', 'ed25519'],
    ['other', 'rsa'],
  ] as const) {
    const path = join(keys, name);
    execFileSync('ssh-keygen', ['-q', '-t', type, '-N', '', '-C', name, '-f', path]);
    chmodSync(path, 0o600);
    give(path);
    writeFileSync(join(tools, `${name}.pub`), readFileSync(`${path}.pub`));
    // Lines of the file, and what they say: part of the private half.
    const lines = readFileSync(path, 'latin1').split('\n').slice(1, -2);
    const secret = lines.at(type === 'rsa' ? -6 : -2) ?? assert.fail('a short key');
    needles.push(...formsOf(`key ${name}, as text`, Buffer.from(secret)));
    needles.push(...formsOf(`key ${name}`, Buffer.from(secret, 'base64').subarray(type === 'rsa' ? 0 : 20)));
  }
  const socket = join(keys, 'agent');
  // As the user, where there is one.
  const start = user?.prefix ?? ['env'];
  const agent = spawn(start[0] ?? '', [...start.slice(1), 'ssh-agent', '-D', '-a', socket], { stdio: 'ignore' });
  stack.defer(() => agent.kill('SIGKILL'));
  while (!existsSync(socket)) await new Promise((resolve) => setTimeout(resolve, 10));
  execFileSync(start[0] ?? '', [...start.slice(1), 'ssh-add', '-q', join(keys, 'other')], {
    env: { SSH_AUTH_SOCK: socket, PATH: process.env['PATH'] },
  });
  const token = Buffer.from(`tok-${randomBytes(24).toString('hex')} '"$\\`);
  const word = `w0rd-${randomBytes(24).toString('hex')}`;
  const file = join(keys, 'token');
  writeFileSync(file, token, { mode: 0o600 });
  give(file);
  needles.push(...formsOf('token', token), ...formsOf('word', Buffer.from(word)));
  const scope = stack.move();
  return {
    store,
    context,
    token,
    word,
    needles,
    args: [
      `--secret=id=token,src=${file}`,
      '--secret=id=word,env=A_WORD',
      `--ssh=default=${join(keys, 'default')}`,
      `--ssh=other=${socket}`,
    ],
    options: { root: store.root, user, cwd: user?.home, env: { A_WORD: word } },
    [Symbol.dispose]: () => scope.dispose(),
  };
}

/** Waits until the step has come to its end but one, and gives the folder of its cache. */
async function ready(root: string, ended: () => boolean): Promise<string> {
  const caches = join(root, 'ground/caches');
  for (;;) {
    for (const name of existsSync(caches) ? readdirSync(caches) : [])
      if (existsSync(join(caches, name, 'f/ready'))) return join(caches, name, 'f');
    if (ended()) throw new Error('the build has ended before the step came so far');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

function commandLines(): Buffer {
  const lines = readdirSync('/proc').flatMap((pid) => {
    try {
      return /^\d+$/.test(pid) ? [readFileSync(`/proc/${pid}/cmdline`)] : [];
    } catch {
      return [];
    }
  });
  return Buffer.concat(lines);
}

/** Every event, with what it carries as base64 in plain too. */
function eventsOf(stream: string): Buffer {
  const texts = [...stream.matchAll(/"chunk":"([^"]*)"/g)].map(([, text = '']) => Buffer.from(text, 'base64'));
  return Buffer.concat([Buffer.from(stream), ...texts]);
}

async function leavesNothing(user: TestUser | undefined, o: { readonly executor?: string } = {}): Promise<void> {
  using world = await worldOf(user);
  const { store, needles, options } = world;
  const place = (name: string): string => join(user?.home ?? store.work, name);
  const out = place('image.tar');
  const metadata = place('metadata.json');
  const executor = o.executor === undefined ? [] : ['--executor', o.executor];
  const flags = ['-o', `type=oci,dest=${out}`, '--metadata-file', metadata, ...executor, ...world.args];
  let ended = false;
  const building = strake(['build', '--progress=json', ...flags, world.context], options).finally(() => (ended = true));
  const sync = await ready(store.root, () => ended).catch(async (error: unknown) => {
    const { stdout, stderr } = await building;
    throw new Error(`${String(error)}\n${eventsOf(stdout + stderr).toString()}`);
  });
  const during = foundBelow(store.root, needles);
  const lines = foundIn('a command line', commandLines(), needles);
  writeFileSync(join(sync, 'go'), '');
  const built = await building;
  const said = eventsOf(built.stdout + built.stderr).toString();
  assert.equal(built.code, 0, said);
  assert.deepEqual(during.found, [], 'while the step runs');
  assert.deepEqual(lines, []);
  assert.match(said, /400 0:0 regular file\n600 0:0 socket\n600 0:0 socket\n/);
  assert.match(said, /256 SHA256:\S+ default \(ED25519\)/);

  const folder = place('tree');
  const again = await ok(
    ['build', '--progress=plain', ...executor, '-o', folder, ...world.args, world.context],
    options,
  );
  assert.match(again.stderr, /CACHED/);
  const sha256 = (bytes: string | Buffer): string => createHash('sha256').update(bytes).digest('hex');
  const digests = [world.token, world.token, world.word].map(sha256);
  assert.deepEqual(readFileSync(join(folder, 'digests'), 'utf8').trim().split('\n'), digests);
  for (const name of ['default', 'other']) {
    const signers = join(store.work, 'signers');
    writeFileSync(signers, `me ${readFileSync(join(world.context, `tools/${name}.pub`), 'utf8')}`);
    const verify = ['-Y', 'verify', '-n', 'strake', '-I', 'me', '-f', signers];
    const signature = join(folder, `signed-${name}.sig`);
    execFileSync('ssh-keygen', [...verify, '-s', signature], {
      input: 'signed\n',
      stdio: ['pipe', 'ignore', 'inherit'],
    });
  }
  for (const path of ['run/secrets', 'run/buildkit', 'run/other.sock', 'tools', 'sync'])
    assert.ok(!existsSync(join(folder, path)), `${path} leaves no trace`);

  const archive = join(store.work, 'archive');
  mkdirSync(archive);
  execFileSync('tar', ['-xf', out, '-C', archive]);
  const below = [store.root, archive, folder].map((path) => foundBelow(path, needles));
  assert.ok(below.every(({ files }) => files > 3));
  await ok(['build', '-q', ...executor, '-t', 'quiet', ...world.args, world.context], options);
  const history = await ok(['history', '--format=json', 'quiet'], options);
  const inspected = await ok(['inspect', 'quiet'], options);
  const rest: readonly (readonly [string, Uint8Array])[] = [
    ['the event stream', eventsOf(built.stdout + built.stderr)],
    ['the plain log', Buffer.from(again.stdout + again.stderr)],
    ['the metadata file', readFileSync(metadata)],
    ['the history', Buffer.from(history.stdout)],
    ['the config', Buffer.from(inspected.stdout)],
  ];
  assert.deepEqual(
    [...below.flatMap(({ found }) => found), ...rest.flatMap(([what, bytes]) => foundIn(what, bytes, needles))],
    [],
  );
  assert.deepEqual(leftovers(store.root), []);
}

describe('secrets and ssh keys (must show 4): used by a RUN, and nowhere to be found then', () => {
  test('as root', async () => leavesNothing(undefined));

  test('as root, by util-linux alone', async () => leavesNothing(undefined, { executor: 'builtin' }));

  test('as an ordinary user', { skip: userLacking() }, async () => {
    using user = testUser();
    await leavesNothing(user);
  });

  test('a step that fails, and one that is killed with strake itself', async () => {
    using store = await storeWithBase();
    const token = `tok-${randomBytes(24).toString('hex')}`;
    const needles = formsOf('token', Buffer.from(token));
    const mounts = '--mount=type=secret,id=token --mount=type=secret,id=token,env=TOKEN';
    const options = { root: store.root, env: { token } };
    const build = (run: string): readonly string[] => {
      writeFileSync(
        join(store.work, 'Dockerfile'),
        `FROM ${BASE}\nRUN ${mounts} --mount=type=cache,target=/sync ${run}\n`,
      );
      return ['build', '--progress=plain', '--secret=id=token,env=token', store.work];
    };
    const failed = await strake(build('grep -q tok /run/secrets/token && exit 3'), options);
    assert.equal(failed.code, 1);
    assert.match(failed.stderr, /exit code: 3/);
    let pid = 0;
    let ended = false;
    const args = build('touch /sync/ready && sleep 600');
    const killed = strake(args, { ...options, onStart: (started) => (pid = started) }).finally(() => (ended = true));
    await ready(store.root, () => ended);
    process.kill(pid, 'SIGKILL');
    const { code, stdout, stderr } = await killed;
    assert.equal(code, 137);
    await ok(['doctor'], options);
    assert.deepEqual(foundBelow(store.root, needles).found, []);
    assert.deepEqual(foundIn('what was said', Buffer.from(failed.stderr + stdout + stderr), needles), []);
    assert.deepEqual(leftovers(store.root), []);
  });

  test('the search finds what is there', () => {
    const needles = formsOf('it', Buffer.from('a secret of some length'));
    for (const text of ['a secret of some length', 'xa secret of some length', 'xya secret of some length'])
      assert.equal(foundIn('x', Buffer.from(Buffer.from(`${text} more`).toString('base64')), needles).length, 1, text);
    assert.equal(foundIn('x', gzipSync('it is a secret of some length, is it'), needles).length, 1);
    assert.deepEqual(foundIn('x', Buffer.from('a secret of no length'), needles), []);
  });
});

describe('secrets and agents that are not there', () => {
  const cases = [
    ['--mount=type=secret,id=token,required=true', 'mount secret "token": not found', '--secret id=token,src=FILE'],
    ['--mount=type=ssh,required=true', 'mount ssh agent "default"', '--ssh default'],
  ] as const;

  for (const [flag, says, help] of cases)
    test(`required: ${flag}`, async () => {
      using store = await storeWithBase();
      writeFileSync(join(store.work, 'Dockerfile'), `FROM ${BASE}\nRUN ${flag} echo never\n`);
      await failsWith(['build', store.work], {
        root: store.root,
        code: 66,
        says: [says],
        place: { at: 'Dockerfile:2', line: `RUN ${flag} echo never` },
        help,
      });
    });

  test('not required: the step runs without', async () => {
    using store = await storeWithBase();
    const mounts = '--mount=type=secret,id=a --mount=type=secret,id=b,env=B --mount=type=ssh';
    const check = 'test ! -e /run/secrets && test -z "${B+x}" && test ! -e "$SSH_AUTH_SOCK"';
    writeFileSync(join(store.work, 'Dockerfile'), `FROM ${BASE}\nRUN ${mounts} ${check}\n`);
    await ok(['build', store.work], { root: store.root });
  });
});
