import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { after, describe, test } from 'node:test';
import { GitServer } from '../lib/git-server.ts';
import { leftovers } from '../lib/leftovers.ts';
import { BASE, emptyStore, storeWithBase, type TestStore } from '../lib/store.ts';
import { ok, strake } from '../lib/strake.ts';

function write(folder: string, files: Readonly<Record<string, string>>): void {
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
}

const read = ({ work }: TestStore, path: string): string => readFileSync(join(work, path), 'utf8').trim();

/** What takes a while and comes out differently each time: only one of its results can be in all targets. */
const SHARED = `FROM ${BASE} AS tools
RUN sleep 0.3 && cat /proc/sys/kernel/random/uuid > /stamp
`;

const BAKE = `
group "default" { targets = ["app", "docs"] }
variable "VERSIONS" { default = ["1", "2"] }
function "dest" {
  params = [name]
  result = ["type=local,dest=out/\${name}"]
}
target "_common" {
  args = { GREETING = "hello" }
}
target "app" {
  name = "app-\${version}"
  inherits = ["_common"]
  matrix = { version = VERSIONS }
  target = "app"
  args = { VERSION = version }
  output = dest("app-\${version}")
}
target "docs" {
  inherits = ["_common"]
  dockerfile-inline = <<EOT
FROM toolbox AS make
COPY words /words
RUN cat /stamp /words > /docs
FROM scratch
COPY --from=make /docs /docs
EOT
  contexts = { toolbox = "target:toolbox" }
  output = dest("docs")
}
target "toolbox" { target = "tools" }
`;

const DOCKERFILE = `${SHARED}
FROM tools AS make
ARG VERSION
ARG GREETING
RUN echo "$GREETING $VERSION" > /version
FROM scratch AS app
COPY --from=tools /stamp /stamp
COPY --from=make /version /version
`;

/** The store with the base, unpacked once for the tests that run steps; each has a folder of its own. */
class World implements Disposable {
  readonly #store: TestStore;
  #folders = 0;

  constructor(store: TestStore) {
    this.#store = store;
  }

  open(): TestStore {
    const work = join(this.#store.work, String(this.#folders++));
    mkdirSync(work);
    return { root: this.#store.root, work, [Symbol.dispose]: () => undefined };
  }

  [Symbol.dispose](): void {
    this.#store[Symbol.dispose]();
  }
}

describe('strake bake', () => {
  let world: World | undefined;
  const withBase = async (): Promise<TestStore> => (world ??= new World(await storeWithBase())).open();
  after(() => world?.[Symbol.dispose]());

  test('targets in one graph: what they share runs once, a target that is a context of others too', async () => {
    using store = await withBase();
    write(store.work, { 'docker-bake.hcl': BAKE, Dockerfile: DOCKERFILE, words: 'words' });
    const o = { root: store.root, cwd: store.work };
    const { stderr } = await ok(['bake', '--progress=plain', '--metadata-file', 'meta.json'], o);
    const stamp = read(store, 'out/app-1/stamp');
    assert.equal(read(store, 'out/app-2/stamp'), stamp);
    assert.equal(read(store, 'out/docs/docs'), `${stamp}\nwords`);
    assert.equal(read(store, 'out/app-1/version'), 'hello 1');
    assert.equal(read(store, 'out/app-2/version'), 'hello 2');
    const steps = new Set(stderr.match(/^#\d+ \[.*RUN sleep.*$/gm));
    assert.equal(steps.size, 1, [...steps].join('\n'));
    assert.match(stderr, /^#\d+ \[app-1 make 1\/1\] RUN echo/m);
    assert.doesNotMatch(stderr, /the same step/);
    assert.match(stderr, /^#\d+ \[docs /m);
    const metadata = JSON.parse(read(store, 'meta.json')) as Record<string, unknown>;
    assert.deepEqual(Object.keys(metadata), ['app-1', 'app-2', 'docs', 'toolbox']);
    const { stderr: again } = await ok(['bake', '--progress=plain'], o);
    assert.doesNotMatch(again, /^#\d+ DONE.*\n.*RUN/m);
    assert.equal(read(store, 'out/docs/docs'), `${stamp}\nwords`);
    await ok(['bake', '--no-cache'], o);
    const anew = read(store, 'out/app-1/stamp');
    assert.notEqual(anew, stamp);
    assert.equal(read(store, 'out/app-2/stamp'), anew);
    assert.equal(read(store, 'out/docs/docs'), `${anew}\nwords`);
    assert.deepEqual(leftovers(store.root), []);
  });

  test('targets run at the same time, and each has its own secrets, also where another one is made of it', async () => {
    using store = await withBase();
    // Each waits for the other, through a folder that both see.
    const meet = (mine: string, other: string): string =>
      `RUN --mount=type=cache,id=meet,target=/meet --mount=type=secret,id=word,env=WORD touch /meet/${mine} && for i in $(seq 1200); do [ -e /meet/${other} ] && break; sleep 0.05; done; test -e /meet/${other} && printf %s "$WORD" | sha256sum > /word`;
    write(store.work, {
      'docker-bake.hcl': `
group "default" { targets = ["a", "b", "c"] }
target "a" {
  dockerfile = "a.Dockerfile"
  secret = ["type=env,id=word,env=A_WORD"]
  output = ["out/a"]
}
target "b" {
  dockerfile = "b.Dockerfile"
  secret = [{ id = "word", env = "B_WORD" }]
  output = ["out/b"]
}
target "c" {
  dockerfile = "c.Dockerfile"
  contexts = { a = "target:a", b = "target:b" }
  output = ["out/c"]
}
`,
      'a.Dockerfile': `FROM ${BASE} AS x\n${meet('a', 'b')}\nFROM scratch\nCOPY --from=x /word /word\n`,
      'b.Dockerfile': `FROM ${BASE} AS x\n${meet('b', 'a')}\nFROM scratch\nCOPY --from=x /word /word\n`,
      'c.Dockerfile': 'FROM scratch\nCOPY --from=a /word /a\nCOPY --from=b /word /b\n',
    });
    const env = { A_WORD: 'alpha', B_WORD: 'beta' };
    await ok(['bake', '--progress=plain'], { root: store.root, cwd: store.work, env });
    assert.equal(read(store, 'out/c/a'), read(store, 'out/a/word'));
    assert.equal(read(store, 'out/c/b'), read(store, 'out/b/word'));
    assert.notEqual(read(store, 'out/c/a'), read(store, 'out/c/b'));
  });

  test('a target that fails is named, ends the others, and leaves nothing behind', async () => {
    using store = await withBase();
    write(store.work, {
      'docker-bake.hcl':
        'group "default" { targets = ["good", "bad"] }\ntarget "good" { target = "good" }\ntarget "bad" { target = "bad" }\n',
      Dockerfile: `FROM ${BASE} AS good\nRUN sleep infinity\nFROM ${BASE} AS bad\nRUN exit 3\n`,
    });
    const { code, stdout, stderr } = await strake(['bake', '--progress=plain'], { root: store.root, cwd: store.work });
    assert.notEqual(code, 0);
    assert.equal(stdout, '');
    assert.match(stderr, /error: Dockerfile:4(:\d+)?: target "bad": process "\/bin\/sh -c exit 3"/);
    assert.deepEqual(leftovers(store.root), []);
  });

  test('a compose file: services, variables, .env, one service of another', async () => {
    using store = emptyStore();
    write(store.work, {
      'compose.yaml': `
x-args: &args
  VERSION: \${VERSION:-none}
services:
  base:
    build:
      context: ./base
      args: *args
  web:
    image: example/web:\${TAG}
    build:
      context: ./web
      additional_contexts:
        base: service:base
      labels:
        - stage=web
  cache:
    image: redis
`,
      '.env': 'TAG=from-file\nVERSION=7\n',
      'base/Dockerfile': 'FROM scratch\nARG VERSION\nENV VERSION=$VERSION\nCOPY file /file\n',
      'base/file': 'base',
      'web/Dockerfile': 'FROM base\nCOPY page /page\n',
      'web/page': 'page',
    });
    const o = { root: store.root, cwd: store.work };
    const { stdout } = await ok(['bake', '--progress=plain'], o);
    assert.match(stdout, /^web sha256:[0-9a-f]{64}$/m);
    const { stdout: shown } = await ok(['inspect', 'example/web:from-file', '--format', 'json'], o).catch(() =>
      ok(['inspect', 'example/web:from-file'], o),
    );
    assert.match(shown, /VERSION=7/);
    assert.match(shown, /stage/);
  });

  test('the files of a repository: its folders are contexts there, this machine is cwd://', async () => {
    using store = emptyStore();
    await using server = await GitServer.open();
    const repository = server.repository('app.git');
    repository.commit({
      'docker-bake.hcl': `
group "default" { targets = ["root", "sub"] }
target "root" { output = ["type=local,dest=out/root"] }
target "sub" {
  context = "parts/sub"
  contexts = { here = BAKE_CMD_CONTEXT }
  output = ["type=local,dest=out/sub"]
}
target "inline" {
  dockerfile-inline = "FROM scratch\\nCOPY top /inline\\n"
  output = ["type=local,dest=out/inline"]
}
`,
      Dockerfile: 'FROM scratch\nCOPY top /top\n',
      top: 'top',
      'parts/sub/Dockerfile': 'FROM scratch\nCOPY file /file\nCOPY --from=here mine /mine\n',
      'parts/sub/file': 'sub',
    });
    repository.git('tag', 'v1');
    write(store.work, { mine: 'mine', 'docker-bake.hcl': 'target "default" { context = "/nowhere" }\n' });
    const o = { root: store.root, cwd: store.work };
    const url = `${server.url}/app.git#v1`;
    const { stdout } = await ok(['bake', url, '--print', 'default'], o);
    const { target } = JSON.parse(stdout) as { target: Record<string, { context: string }> };
    assert.equal(target['root']?.context, url);
    assert.equal(target['sub']?.context, `${url}:parts/sub`);
    await ok(['bake', url, 'default', 'inline'], o);
    assert.equal(read(store, 'out/root/top'), 'top');
    assert.equal(read(store, 'out/sub/file'), 'sub');
    assert.equal(read(store, 'out/sub/mine'), 'mine');
    assert.equal(read(store, 'out/inline/inline'), 'top');
    assert.match(
      (await strake(['bake', url, '-f', 'no.hcl'], o)).stderr,
      /read bake file "no.hcl" of ".*": it is not there/,
    );
    assert.deepEqual(leftovers(store.root), []);
  });

  test('--print: the examples of the reference of bake files come to what it says', async () => {
    using store = emptyStore();
    write(store.work, {
      // docs/bake-reference.md of buildx: inheritance, matrix with several axes and names, functions, environment.
      'docker-bake.hcl': `
variable "TAG" { default = "latest" }
group "default" { targets = ["webapp-release", "app"] }
target "app-dev" {
  args = { GO_VERSION = "1.20" }
  tags = ["docker.io/username/myapp:dev"]
  labels = { "org.opencontainers.image.source" = "https://github.com/username/myapp", "org.opencontainers.image.author" = "moby.whale@example.com" }
}
target "webapp-release" {
  inherits = ["app-dev"]
  tags = ["docker.io/username/myapp:\${TAG}"]
  platforms = ["linux/amd64", "linux/arm64"]
  cache-from = ["type=s3,region=eu-west-1,bucket=mybucket", "user/repo:cache"]
  output = [{ type = "docker" }, { type = "local", dest = "./out" }]
}
target "app" {
  name = "app-\${tgt}-\${replace(version, ".", "-")}"
  matrix = {
    tgt = ["foo", "bar"]
    version = ["1.0", "2.0"]
  }
  target = tgt
  args = { VERSION = version }
}
`,
    });
    const o = { root: store.root, cwd: store.work, env: { TAG: 'v2' } };
    const { stdout } = await ok(['bake', '--print', '--set', 'app-foo-*.tags=x:1'], o);
    const app = (tgt: string, version: string): unknown => ({
      context: '.',
      dockerfile: 'Dockerfile',
      args: { VERSION: version },
      ...(tgt === 'foo' ? { tags: ['x:1'] } : {}),
      target: tgt,
    });
    assert.deepEqual(JSON.parse(stdout), {
      group: {
        app: { targets: ['app-foo-1-0', 'app-bar-1-0', 'app-foo-2-0', 'app-bar-2-0'] },
        default: { targets: ['app', 'webapp-release'] },
      },
      target: {
        'app-bar-1-0': app('bar', '1.0'),
        'app-bar-2-0': app('bar', '2.0'),
        'app-foo-1-0': app('foo', '1.0'),
        'app-foo-2-0': app('foo', '2.0'),
        'webapp-release': {
          context: '.',
          dockerfile: 'Dockerfile',
          args: { GO_VERSION: '1.20' },
          labels: {
            'org.opencontainers.image.author': 'moby.whale@example.com',
            'org.opencontainers.image.source': 'https://github.com/username/myapp',
          },
          tags: ['docker.io/username/myapp:v2'],
          'cache-from': [
            { bucket: 'mybucket', region: 'eu-west-1', type: 's3' },
            { ref: 'user/repo:cache', type: 'registry' },
          ],
          platforms: ['linux/amd64', 'linux/arm64'],
          output: [{ type: 'docker' }, { dest: './out', type: 'local' }],
        },
      },
    });
  });

  test('lists, checks, reads standard input, and says what is wrong where', async () => {
    using store = emptyStore();
    write(store.work, {
      'docker-bake.hcl': `variable "PORT" {
  type = number
  default = 80
  description = "where it listens"
  validation {
    condition = PORT < 1000
    error_message = "too high"
  }
}
target "default" {
  description = "all of it"
}
target "_hidden" {}
target "outside" {
  secret = ["id=s,src=/etc/hostname"]
}
`,
      Dockerfile: 'from scratch\nCOPY . /\n',
    });
    const o = { root: store.root, cwd: store.work };
    assert.equal(
      (await ok(['bake', '--list', 'targets'], o)).stdout,
      'TARGET   DESCRIPTION\ndefault  all of it\noutside\n',
    );
    assert.deepEqual(JSON.parse((await ok(['bake', '--list', 'type=variables,format=json'], o)).stdout), [
      { name: 'PORT', description: 'where it listens', type: 'number', value: '80' },
    ]);
    const check = await strake(['bake', '--check'], o);
    assert.match(check.stdout, /^default\nall of it\n\nCheck complete, 1 warning has been found!/);
    assert.notEqual(check.code, 0);
    const answer = JSON.parse((await strake(['bake', '--call', 'check,format=json'], o)).stdout) as {
      target: { default: { build: object; check: { warnings: readonly { ruleName: string }[] } } };
    };
    assert.equal(answer.target.default.check.warnings[0]?.ruleName, 'ConsistentInstructionCasing');
    const input = 'services: {one: {build: {context: ., dockerfile_inline: "FROM scratch"}}}';
    const printed = await ok(['bake', '-f', '-', '--print', 'one'], { ...o, input });
    assert.match(printed.stdout, /"dockerfile-inline": "FROM scratch"/);
    const wrong = await strake(['bake', '--print', '--var', 'PORT=8080'], o);
    assert.match(wrong.stderr, /^error: docker-bake.hcl:6:17: validation of variable "PORT" failed: too high\n/);
    assert.match(wrong.stderr, / 6 \| >>> {5}condition = PORT < 1000/);
    const denied = await strake(['bake', 'outside'], o);
    assert.match(denied.stderr, /the files ask for what is not granted: fs.read=\/etc\/hostname/);
    assert.match(denied.stderr, /--allow fs.read=\/etc\/hostname/);
    const nothing = join(store.work, 'nothing');
    mkdirSync(nothing);
    assert.match((await strake(['bake'], { ...o, cwd: nothing })).stderr, /find a bake file: there is none here/);
    assert.deepEqual(readdirSync(nothing), []);
  });
});
