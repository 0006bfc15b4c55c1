import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { emptyStore, type TestStore } from '../lib/store.ts';
import { ok, strake } from '../lib/strake.ts';
import { buildTestBuilder, write, writeBuildpack } from './test-builder.ts';

const PROJECT = `
[_]
schema-version = "0.3"
id = "an.app"

[io.buildpacks]
builder = "builder"
exclude = ["*.log", "/docs/", "!keep.log"]

[[io.buildpacks.group]]
uri = "from=builder:test/list"

[[io.buildpacks.group]]
uri = "ci/own"

[[io.buildpacks.group]]
id = "inline/one"
[io.buildpacks.group.script]
api = "0.10"
inline = "echo inline says $WORD"

[[io.buildpacks.group]]
id = "inline/tests"
exec-env = ["test"]
[io.buildpacks.group.script]
api = "0.10"
inline = "echo for tests only"

[[io.buildpacks.build.env]]
name = "WORD"
value = "a word"
`;

suite('a project descriptor', () => {
  let store: TestStore;
  let app: string;

  before(async () => {
    store = emptyStore();
    app = join(store.work, 'app');
    write(join(app, 'project.toml'), PROJECT);
    for (const file of ['main', 'a.log', 'sub/b.log', 'keep.log', 'docs/page', 'sub/docs/page'])
      write(join(app, file), 'x\n');
    writeBuildpack(join(app, 'ci/own'), { id: 'ci/own', build: 'echo own of the context' });
    await buildTestBuilder(store, {
      buildpacks: [
        { id: 'test/never', build: 'exit 1' },
        { id: 'test/list', build: 'find . -type f | sort | tr "\\n" " "; echo' },
      ],
    });
  });
  after(() => store[Symbol.dispose]());

  const build = (...more: readonly string[]): ReturnType<typeof strake> =>
    strake(['build', '--progress=plain', '-t', 'app', ...more, app], { root: store.root });

  test('names the builder, the buildpacks, the files and the variables', async () => {
    const { stderr, code } = await build();
    assert.equal(code, 0, stderr);
    assert.match(
      stderr,
      /\.\/ci\/own\/bin\/build \.\/ci\/own\/bin\/detect \.\/ci\/own\/buildpack.toml \.\/keep.log \.\/main \.\/project.toml \.\/sub\/docs\/page\s*$/m,
    );
    assert.match(stderr, /own of the context/);
    assert.match(stderr, /inline says a word/);
    assert.doesNotMatch(stderr, /for tests only/);
  });

  test('flags win over it; an execution environment has its own', async () => {
    const other = await build('-e', 'WORD=another', '--exec-env', 'test');
    assert.equal(other.code, 0, other.stderr);
    assert.match(other.stderr, /inline says another/);
    assert.match(other.stderr, /for tests only/);
    const { stdout } = await ok(['inspect', 'app'], { root: store.root });
    assert.match(stdout, /"io.buildpacks.exec-env": "test"/);
    const chosen = await build('-b', 'test/list');
    assert.equal(chosen.code, 0, chosen.stderr);
    assert.doesNotMatch(chosen.stderr, /inline says/);
  });

  test('that says what may not be said is told of, with its line', async () => {
    const wrong = join(store.work, 'wrong');
    write(
      join(wrong, 'project.toml'),
      '[_]\nschema-version = "0.2"\n[io.buildpacks]\ninclude = ["a"]\nexclude = ["b"]\n',
    );
    const { stderr, code } = await strake(['build', '-B', 'builder', wrong], { root: store.root });
    assert.notEqual(code, 0);
    assert.match(stderr, /project\.toml/);
    assert.doesNotMatch(stderr, /\n\s+at /);
  });
});
