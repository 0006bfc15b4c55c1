import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { emptyStore, type TestStore } from '../lib/store.ts';
import { ok, strake } from '../lib/strake.ts';
import { buildTestBuilder, write } from './test-builder.ts';

const DETECT = `
[ -f app.txt ] || exit 100
cat > "$CNB_BUILD_PLAN_PATH" <<EOF
[[provides]]
name = "tool"
[[requires]]
name = "tool"
[requires.metadata]
version = "7"
EOF
`;

const BUILD = `
cat > "$CNB_LAYERS_DIR/launch.toml" <<EOF
[[processes]]
type = "web"
command = ["cat", "app.txt"]
default = true
[[processes]]
type = "test"
command = ["sh", "-c", "echo testing \\$CNB_EXEC_ENV \\$0 with \\$WITH; exit 3"]
EOF
mkdir -p "$CNB_LAYERS_DIR/tool"
printf '[types]\\nlaunch = true\\n' > "$CNB_LAYERS_DIR/tool.toml"
echo '{"bomFormat": "CycloneDX"}' > "$CNB_LAYERS_DIR/tool.sbom.cdx.json"
`;

suite('strake detect and strake test', () => {
  let store: TestStore;
  let app: string;

  before(async () => {
    store = emptyStore();
    app = join(store.work, 'app');
    write(join(app, 'app.txt'), 'the app\n');
    await buildTestBuilder(store, { buildpacks: [{ id: 'test/first', detect: DETECT, build: BUILD }] });
  });
  after(() => store[Symbol.dispose]());

  test('detect shows group and plan, and builds nothing', async () => {
    const before = (await ok(['images', '-q'], store)).stdout;
    const json = await ok(['detect', '--format', 'json', '-q', '-B', 'builder', app], store);
    assert.deepEqual(JSON.parse(json.stdout), {
      group: [{ kind: 'buildpack', id: 'test/first', version: '1.0.0', api: '0.12', name: 'Test test/first' }],
      extensions: [],
      plan: [
        {
          providers: [{ kind: 'buildpack', id: 'test/first', version: '1.0.0' }],
          requires: [{ name: 'tool', metadata: { version: '7' } }],
        },
      ],
      runImage: 'docker.io/library/run',
    });
    const text = await ok(['detect', '--progress', 'plain', '-B', 'builder', app], store);
    assert.match(text.stdout, /test\/first +1\.0\.0 +Test test\/first\n/);
    assert.match(text.stdout, /tool +test\/first +\{"version":"7"\}/);
    assert.doesNotMatch(text.stderr, /\[build\]/);
    const toml = await ok(['detect', '--format', 'toml', '-q', '-B', 'builder', app], store);
    assert.match(toml.stdout, /# group.toml\n\[\[group\]\][^]*# plan.toml\n\[\[entries\]\]/);
    assert.equal((await ok(['images', '-q'], store)).stdout, before);
  });

  test('detect of what no buildpack wants is an error', async () => {
    const other = join(store.work, 'other');
    write(join(other, 'README'), 'nothing\n');
    const failed = await strake(['detect', '-B', 'builder', other], store);
    assert.equal(failed.code, 1);
    assert.match(failed.stderr, /no buildpacks participating/);
    assert.equal(failed.stdout, '');
  });

  test('test runs the process "test" of a build for tests, and ends with its exit code', async () => {
    const before = (await ok(['images', '-q'], store)).stdout;
    const args = ['test', '-q', '-B', 'builder', '--run-env', 'WITH=care', '--network', 'none', app, '--', 'one'];
    const ran = await strake(args, store);
    assert.equal(ran.stdout, 'testing test one with care\n', ran.stderr);
    assert.equal(ran.code, 3);
    assert.equal((await ok(['images', '-q'], store)).stdout, before);
  });

  test('an image for tests is run as one, unless that is said otherwise', async () => {
    await ok(['build', '-q', '-B', 'builder', '--exec-env', 'test', '-D', 'test', '-t', 'tested', app], store);
    const run = ['run', '-q', '--network', 'none', '-e', 'WITH=care'];
    const ran = await strake([...run, 'tested', 'one'], store);
    assert.deepEqual([ran.code, ran.stdout], [3, 'testing test one with care\n'], ran.stderr);
    const other = await strake([...run, '-e', 'CNB_EXEC_ENV=production', 'tested', 'one'], store);
    assert.equal(other.stdout, 'testing production one with care\n', other.stderr);
  });

  test('a build writes report.toml and SBOM files where it is told', async () => {
    const [report, sbom] = [join(store.work, 'report'), join(store.work, 'sbom')];
    const flags = ['--report-output-dir', report, '--sbom-output-dir', sbom, '--creation-time', '1700000000'];
    const { stdout } = await ok(['build', '-q', '-B', 'builder', '-t', 'app', ...flags, app], store);
    assert.equal(
      readFileSync(join(report, 'report.toml'), 'utf8'),
      `[image]\n  tags = ["app"]\n  image-id = "${stdout.trim()}"\n`,
    );
    assert.ok(existsSync(join(sbom, 'launch/test_first/tool/sbom.cdx.json')));
    const [image] = JSON.parse((await ok(['inspect', 'app'], store)).stdout) as [{ Created: string }];
    assert.equal(image.Created, '2023-11-14T22:13:20Z');
  });
});
