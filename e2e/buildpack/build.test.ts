import assert from 'node:assert/strict';
import { readdirSync, renameSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { emptyStore, type TestStore } from '../lib/store.ts';
import { ok, strake, stepsOf } from '../lib/strake.ts';
import { noTerminal, onTerminal } from '../lib/terminal.ts';
import { buildTestBuilder, write, writeBuildpack } from './test-builder.ts';

const FIRST = `
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

const FIRST_BUILD = `
cat "$CNB_BP_PLAN_PATH"
echo "env: $(env | grep -c '^CNB_') target $CNB_TARGET_OS $CNB_TARGET_DISTRO_NAME exec $CNB_EXEC_ENV greeting \${GREETING:-none} builder \${FROM_BUILDER:-hidden}"
if [ -f "$CNB_LAYERS_DIR/tool.toml" ]; then echo restored: $(ls "$CNB_LAYERS_DIR/tool"); else echo nothing restored; fi
mkdir -p "$CNB_LAYERS_DIR/tool/bin" "$CNB_LAYERS_DIR/tool/env.launch"
printf '#!/bin/sh\\necho a tool\\n' > "$CNB_LAYERS_DIR/tool/bin/tool"
chmod 755 "$CNB_LAYERS_DIR/tool/bin/tool"
printf 'from the layer' > "$CNB_LAYERS_DIR/tool/env.launch/TOOL_SAYS"
cat > "$CNB_LAYERS_DIR/tool.toml" <<EOF
[types]
launch = true
build = true
cache = true
[metadata]
version = "7"
EOF
cat > "$CNB_LAYERS_DIR/launch.toml" <<EOF
[[processes]]
type = "web"
command = ["sh", "-c", "tool; cat app.txt made.txt; echo \\$TOOL_SAYS"]
default = true
[[labels]]
key = "made.by"
value = "first"
EOF
echo '{"bomFormat": "CycloneDX"}' > "$CNB_LAYERS_DIR/tool.sbom.cdx.json"
`;

const SECOND_BUILD = `
tool
echo made > made.txt
touch "$CNB_LAYERS_DIR/../test_first/tool/bin/tool" 2>/dev/null && echo could write || echo may not write
mkdir -p "$CNB_LAYERS_DIR/data"
echo data > "$CNB_LAYERS_DIR/data/file"
printf '[types]\\nlaunch = true\\n' > "$CNB_LAYERS_DIR/data.toml"
`;

interface Inspected {
  readonly Created: string;
  readonly Config: {
    readonly Labels: Readonly<Record<string, string>>;
    readonly Entrypoint: readonly string[];
    readonly Env: readonly string[];
    readonly WorkingDir: string;
    readonly User: string;
  };
  readonly History: readonly { readonly created_by: string }[];
}

suite('an application by buildpacks', () => {
  let store: TestStore;
  let app: string;

  before(async () => {
    store = emptyStore();
    app = join(store.work, 'app');
    write(join(app, 'app.txt'), 'the app\n');
    await buildTestBuilder(store, {
      buildpacks: [
        { id: 'test/first', detect: FIRST, build: FIRST_BUILD, toml: '[metadata.strake]\nstep-cache = true' },
        { id: 'test/second', build: SECOND_BUILD, toml: '[metadata.strake]\nstep-cache = true' },
      ],
    });
  });
  after(() => store[Symbol.dispose]());

  const build = (...more: readonly string[]): ReturnType<typeof ok> =>
    ok(['build', '--progress=plain', '-B', 'builder', '-t', 'app', '-e', 'GREETING=hello', ...more, app], {
      root: store.root,
    });

  test('is built, and runs', async () => {
    const { stderr } = await build();
    assert.match(stderr, /version = "7"/);
    assert.match(stderr, /target linux testos exec production greeting hello builder hidden/);
    assert.match(stderr, /nothing restored/);
    assert.match(stderr, /a tool/);
    assert.match(stderr, /may not write/);
    const ran = await ok(['run', '--network', 'none', 'app'], { root: store.root });
    assert.equal(ran.stdout, 'a tool\nthe app\nmade\nfrom the layer\n');
    const { stdout } = await ok(['inspect', 'app'], { root: store.root });
    const [image] = JSON.parse(stdout) as [Inspected];
    const { Labels, Entrypoint, Env, WorkingDir, User } = image.Config;
    assert.deepEqual(Entrypoint, ['/cnb/process/web']);
    assert.equal(WorkingDir, '/workspace');
    assert.equal(User, '1000:1000');
    assert.equal(Labels['made.by'], 'first');
    assert.ok(Env.includes('FROM_RUN=yes') && Env.includes('CNB_APP_DIR=/workspace'));
    const metadata = JSON.parse(Labels['io.buildpacks.lifecycle.metadata'] ?? '') as {
      buildpacks: { key: string; layers: object }[];
    };
    assert.deepEqual(
      metadata.buildpacks.map(({ key, layers }) => [key, Object.keys(layers)]),
      [
        ['test/first', ['tool']],
        ['test/second', ['data']],
      ],
    );
    assert.equal(image.Created, '1980-01-01T00:00:01Z');
    assert.deepEqual(image.History.map(({ created_by: by }) => by).slice(1), [
      "Layer: 'tool', Created by buildpack: test/first@1.0.0",
      "Layer: 'data', Created by buildpack: test/second@1.0.0",
      'Software Bill-of-Materials',
      'Application Layer',
      'Buildpacks Application Launcher',
      'Buildpacks Launcher Config',
      'Buildpacks Process Types',
    ]);
  });

  test('again: what was cached is restored, then nothing runs any more', async () => {
    const second = await build();
    assert.match(second.stderr, /restored: bin env.launch/);
    const id = second.stdout.trim();
    const third = await build();
    assert.equal(third.stdout.trim(), id);
    const steps = stepsOf(third.stderr);
    for (const name of ['[build] test/first@1.0.0', '[build] test/second@1.0.0', '[detect] test/first@1.0.0'])
      assert.match(steps.get(name) ?? '', /^CACHED/, `${name}: ${steps.get(name)}`);
    assert.equal(stepsOf((await build('--no-cache')).stderr).get('[build] test/first@1.0.0'), 'DONE');
  });

  test('another store, another day, another umask: the same image', async () => {
    using other = emptyStore();
    await buildTestBuilder(other, {
      buildpacks: [
        { id: 'test/first', detect: FIRST, build: FIRST_BUILD },
        { id: 'test/second', build: SECOND_BUILD },
      ],
    });
    const made = async (root: string, umask: string): Promise<string> =>
      (await ok(['build', '-q', '-B', 'builder', '-t', 'twin', '--clear-cache', app], { root, umask })).stdout;
    assert.equal(await made(other.root, '077'), await made(store.root, '022'));
  });

  test('a folder of the command line is a buildpack; one that fails is told of', async (t) => {
    const own = join(store.work, 'own');
    writeBuildpack(own, { id: 'own/one', build: 'echo own built; echo own > own.txt' });
    const { stderr } = await build('-b', 'from=builder', '-b', own);
    assert.match(stderr, /own built/);
    writeBuildpack(own, { id: 'own/one', build: 'echo it breaks >&2; exit 7' });
    const failed = await strake(['build', '--progress=plain', '-B', 'builder', '-b', own, app], { root: store.root });
    assert.notEqual(failed.code, 0);
    assert.match(failed.stderr, /it breaks/);
    assert.match(failed.stderr, /buildpack "own\/one@1.0.0".*7/);
    assert.doesNotMatch(failed.stderr, /\n\s+at /);
    // The line that it ends with opens a shell where the buildpack left its files.
    const line = /^reproduce: (.*)$/m.exec(failed.stderr)?.[1] ?? '';
    if (noTerminal !== undefined) return t.diagnostic(noTerminal);
    const it = onTerminal(line, { root: store.root });
    await it.says(/\nshell: .* in the step's root/);
    it.type('ls; echo "layers: $CNB_LAYERS_DIR"; exit\n');
    assert.equal(await it.ended, failed.code);
    const said = it.said().replaceAll('\r', '');
    assert.match(said, /\napp\.txt\nlayers: \/layers\/own_one\n[^]*error: build with buildpack "own\/one/);
  });

  test('proxies of this machine reach it, and are no reason to run again', async () => {
    const own = join(store.work, 'proxied');
    writeBuildpack(own, {
      id: 'own/proxied',
      build: 'echo "by $HTTPS_PROXY"',
      toml: '[metadata.strake]\nstep-cache = true',
    });
    const by = (proxy: string): ReturnType<typeof ok> =>
      ok(['build', '--progress=plain', '-B', 'builder', '-b', own, app], {
        root: store.root,
        env: { HTTPS_PROXY: `http://${proxy}.example:3128` },
      });
    assert.match((await by('one')).stderr, /by http:\/\/one\.example:3128/);
    assert.doesNotMatch((await by('two')).stderr, /by http/);
  });

  test('what nobody wants is told of, with what was tried', async () => {
    const other = join(store.work, 'other');
    write(join(other, 'README'), 'nothing\n');
    const failed = await strake(['build', '--progress=plain', '-B', 'builder', other], { root: store.root });
    assert.notEqual(failed.code, 0);
    assert.match(failed.stderr, /fail: test\/first@1.0.0/);
    assert.match(failed.stderr, /no buildpacks participating/);
  });

  test('a secret and a binding reach the buildpack they are for, and stay nowhere', async () => {
    const binding = join(store.work, 'db');
    write(join(binding, 'type'), 'postgresql');
    write(join(binding, 'password'), 'hunter2-of-the-binding');
    const secret = join(store.work, 'token');
    writeFileSync(secret, 'token-of-the-secret');
    const own = join(store.work, 'reads');
    writeBuildpack(own, {
      id: 'own/reads',
      build: 'wc -c < "$SERVICE_BINDING_ROOT/db/password"; wc -c < /run/secrets/token',
    });
    const flags = ['--binding', binding, '--secret', `id=token,src=${secret},buildpack=own/reads`];
    const { stderr } = await build('-b', own, ...flags, '--step-cache', 'off');
    assert.match(stderr, /22\n[^]*19\n/);
  });

  test('a cache in a folder goes from machine to machine, as the lifecycle writes it; a damaged one is not used', async () => {
    const at = (name: string): string => join(store.work, name);
    const bound = async (folder: string, text: string): Promise<string> => {
      writeFileSync(join(app, 'app.txt'), text);
      const { stderr } = await build('-t', 'bound', '--cache', `type=build;format=bind;source=${at(folder)}`);
      return stderr;
    };
    assert.match(await bound('cache-1', 'the first\n'), /nothing restored/);
    const [metadata, ...tars] = readdirSync(at('cache-1/committed')).toSorted();
    assert.equal(metadata, 'io.buildpacks.lifecycle.cache.metadata');
    assert.ok(tars.length > 0 && tars.every((name) => /^sha256:[0-9a-f]{64}\.tar$/.test(name)), tars.join());
    // The store knows nothing of this folder.
    renameSync(at('cache-1'), at('cache-2'));
    assert.match(await bound('cache-2', 'the second\n'), /restored: bin/);
    // It does know of the first one, which is empty now.
    assert.match(await bound('cache-1', 'the third\n'), /nothing restored/);
    renameSync(at('cache-2'), at('cache-3'));
    for (const tar of tars) truncateSync(at(`cache-3/committed/${tar}`), 700);
    const damaged = await bound('cache-3', 'the fourth\n');
    assert.match(damaged, /warning: the cache in ".*cache-3" is not used: /);
    assert.match(damaged, /nothing restored/);
    assert.match(await bound('cache-3', 'the fifth\n'), /restored: bin/);
    const both = ['--cache', 'type=build;format=bind;source=x', '--cache-volume', 'x'];
    for (const wrong of [both, ['--cache', 'format=bind'], ['--cache', 'type=other']])
      assert.equal((await strake(['build', ...wrong, '-B', 'builder', app], { root: store.root })).code, 64);
  });
});
