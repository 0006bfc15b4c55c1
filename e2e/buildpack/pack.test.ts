import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { after, before, suite, test } from 'node:test';
import { registryOf } from '../../src/registry/testing/world.ts';
import { FakeDaemon } from '../../src/engine/export/fake-daemon.suite.ts';
import { emptyStore, type TestStore } from '../lib/store.ts';
import { CHECKOUT, ok, strake, type StrakeResult } from '../lib/strake.ts';
import { buildTestBuilder, write } from './test-builder.ts';

const BUILD = `
echo "greeting \${GREETING:-none}"
if [ -d /shared ]; then cat /shared/note; touch /shared/new 2>/dev/null && echo could write || echo may not write; fi
cat > "$CNB_LAYERS_DIR/launch.toml" <<EOF
[[processes]]
type = "web"
command = ["cat", "app.txt"]
default = true
EOF
`;

/** A zip archive of one file, not compressed. */
function storedZip(name: string, text: string): Buffer {
  const content = Buffer.from(text);
  const common = Buffer.alloc(26);
  common.writeUInt16LE(20, 0);
  common.writeUInt16LE(0x21, 8);
  common.writeUInt32LE(crc32(content), 10);
  common.writeUInt32LE(content.length, 14);
  common.writeUInt32LE(content.length, 18);
  common.writeUInt16LE(name.length, 22);
  const local = Buffer.concat([Buffer.from('PK\x03\x04'), common, Buffer.from(name), content]);
  const central = Buffer.concat([Buffer.from('PK\x01\x02\x14\x00'), common, Buffer.alloc(14), Buffer.from(name)]);
  const end = Buffer.alloc(18);
  end.writeUInt16LE(1, 4);
  end.writeUInt16LE(1, 6);
  end.writeUInt32LE(central.length, 8);
  end.writeUInt32LE(local.length, 12);
  return Buffer.concat([local, central, Buffer.from('PK\x05\x06'), end]);
}

suite("pack's command line", () => {
  let store: TestStore;
  let app: string;

  before(async () => {
    store = emptyStore();
    app = join(store.work, 'app');
    write(join(app, 'app.txt'), 'the app\n');
    write(join(app, 'Dockerfile'), 'this is not looked at\n');
    await buildTestBuilder(store, { buildpacks: [{ id: 'test/first', build: BUILD }] });
    symlinkSync(join(CHECKOUT, 'strake'), join(store.work, 'pack'));
  });
  after(() => store[Symbol.dispose]());

  const env = (more: Record<string, string> = {}): Record<string, string> => ({
    PACK_HOME: join(store.work, 'home'),
    DOCKER_HOST: `unix://${join(store.work, 'none.sock')}`,
    ...more,
  });
  const pack = (args: readonly string[], more: Record<string, string> = {}): Promise<StrakeResult> =>
    strake(['pack', ...args], { root: store.root, env: env(more) });
  const here = ['--pull-policy', 'if-not-present', '--network', 'none', '-v'];

  test('without a daemon the image is in the store, which is said', async () => {
    const built = await pack(['build', 'app', '-B', 'builder', '-p', app, '-e', 'GREETING=hello', ...here]);
    assert.equal(built.code, 0, built.stderr);
    assert.match(built.stderr, /no Docker or Podman answers: the image goes into the store of strake/);
    assert.match(built.stderr, /greeting hello/);
    assert.equal(built.stdout, "Successfully built image 'app'\n");
    assert.equal((await ok(['run', '--network', 'none', 'app'], store)).stdout, 'the app\n');
    const inspected = await pack(['inspect', 'app', '-o', 'json']);
    assert.match(inspected.stdout, /"id": "test\/first"/);
  });

  test('a volume is read, and nothing else', async () => {
    const shared = join(store.work, 'shared');
    write(join(shared, 'note'), 'a note\n');
    const args = ['build', 'app', '-B', 'builder', '-p', app, ...here];
    const built = await pack([...args, '--volume', `${shared}:/shared`]);
    assert.equal(built.code, 0, built.stderr);
    assert.match(built.stderr, /a note\n[^]*may not write/);
    assert.deepEqual(readdirSync(shared), ['note']);
    for (const volume of [`${shared}:/shared:rw`, `${shared}:/cnb/x`, `${shared}/note:/shared`, 'named:/shared']) {
      const refused = await pack([...args, '--volume', volume]);
      assert.equal(refused.code, 1);
      assert.match(refused.stderr, /ERROR: read --volume|error: read --volume/, volume);
    }
  });

  test('into a daemon that answers', async () => {
    await using daemon = await FakeDaemon.listen('chains');
    const args = ['build', 'app:2', '-B', 'builder', '-p', app, '--docker-host', `unix://${daemon.socket}`, ...here];
    const built = await pack(args);
    assert.equal(built.code, 0, built.stderr);
    assert.deepEqual(
      [...daemon.images.values()].map(({ tags }) => tags),
      [['app:2']],
    );
    assert.match(built.stderr, /the image goes into the daemon at/);
  });

  test('into a registry, with its cache, a report and SBOM files', async () => {
    await using registry = await registryOf();
    const at = (name: string): string => `${registry.server.host}/${name}`;
    const [report, sbom] = [join(store.work, 'published'), join(store.work, 'sbom')];
    const flags = ['build', at('app:1'), '-t', at('app:2'), '-B', 'builder', '-p', app, '--publish', ...here];
    flags.push('--cache', `type=build;format=image;name=${at('cache')}`, '--report-output-dir', report);
    const build = (): Promise<StrakeResult> =>
      pack([...flags, ...(existsSync(sbom) ? [] : ['--sbom-output-dir', sbom])]);
    const first = await build();
    assert.equal(first.code, 0, first.stderr);
    const digest = /digest = "(sha256:[0-9a-f]{64})"/.exec(readFileSync(join(report, 'report.toml'), 'utf8'))?.[1];
    assert.match(readFileSync(join(report, 'report.toml'), 'utf8'), /tags = \["[^"]*app:1", "[^"]*app:2"\]/);
    assert.ok(existsSync(join(sbom, 'launch/sbom.legacy.json')));
    assert.equal((await strake(['inspect', at('app:1')], store)).code, 66);
    const remote = await ok(['inspect', '-o', 'human-readable', at('app:2')], store);
    assert.match(remote.stdout, /REMOTE:\n[^]*test\/first +1\.0\.0/);
    const second = await build();
    assert.equal(second.code, 0, second.stderr);
    assert.ok(readFileSync(join(report, 'report.toml'), 'utf8').includes(digest ?? 'no digest'));
  });

  test('into a layout, with a report; the builder from the configuration', async () => {
    assert.equal((await pack(['config', 'default-builder', 'builder'])).code, 0);
    const [layout, report] = [join(store.work, 'layout'), join(store.work, 'report')];
    const built = await pack([
      'build',
      `oci:${layout}`,
      '-p',
      app,
      '--report-output-dir',
      report,
      '-q',
      ...here.slice(0, 4),
    ]);
    assert.equal(built.code, 0, built.stderr);
    assert.equal(built.stdout + built.stderr, '');
    assert.ok(readdirSync(layout).includes('index.json'));
    assert.match(readFileSync(join(report, 'report.toml'), 'utf8'), /image-id = "sha256:/);
    assert.ok(!existsSync(join(store.work, 'none.sock')));
  });

  test("exit codes are pack's, old names are warned of, and a link of its name is enough", async () => {
    const failed = await pack(['build', 'app', '-B', 'nowhere', '-p', app, '--pull-policy', 'never']);
    assert.equal(failed.code, 1);
    assert.match(failed.stderr, /"docker.io\/library\/nowhere:latest"/);
    const wrong = await pack(['build', 'app', '--biulder', 'x']);
    assert.equal(wrong.code, 1);
    assert.match(
      wrong.stderr,
      /^ERROR: read the command line: unknown flag: --biulder\nhelp: Did you mean --builder\?/,
    );
    const soft = await pack(['builder', 'inspect'], { PACK_HOME: join(store.work, 'empty') });
    assert.equal(soft.code, 2);
    assert.match(soft.stderr, /Please select a default builder/);
    const child = spawn(join(store.work, 'pack'), ['list-trusted-builders'], {
      env: { PATH: process.env['PATH'], ...env(), STRAKE_ROOT: store.root, NO_COLOR: '1' },
    });
    const out: Buffer[] = [];
    const err: Buffer[] = [];
    child.stdout.on('data', (chunk: Buffer) => out.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => err.push(chunk));
    const code = await new Promise((resolve) => child.on('close', resolve));
    assert.equal(code, 0);
    assert.match(Buffer.concat(err).toString(), /'pack list-trusted-builders' has been deprecated/);
    assert.match(Buffer.concat(out).toString(), /heroku\/builder:24/);
    const report = await pack(['report']);
    assert.match(report.stdout, /default-builder-image = "\[REDACTED\]"/);
  });

  test('the bill of materials of an old image; completion', async () => {
    const label = '{"bom":[{"name":"jre","metadata":{"version":"11"},"buildpack":{"id":"a/java","version":"1.0.0"}}]}';
    write(
      join(store.work, 'old/Dockerfile'),
      `FROM scratch\nLABEL io.buildpacks.lifecycle.metadata='{"app":[],"runImage":{"topLayer":"x"}}' io.buildpacks.build.metadata='${label}'\n`,
    );
    await ok(['build', '-q', '-t', 'old', join(store.work, 'old')], store);
    const old = await pack(['inspect', 'old', '--bom']);
    assert.equal(old.code, 0, old.stderr);
    assert.deepEqual(JSON.parse(old.stdout), {
      remote: null,
      local: [{ name: 'jre', metadata: { version: '11' }, buildpacks: { id: 'a/java', version: '1.0.0' } }],
    });
    const script = await pack(['completion']);
    assert.equal(script.stdout, `${join(store.work, 'home/completion.sh')}\n`);
    const said = execFileSync(
      'bash',
      [
        '-c',
        'source "$1"; COMP_WORDS=(pack buil); COMP_CWORD=1; _pack; echo "${COMPREPLY[*]}"',
        'bash',
        script.stdout.trim(),
      ],
      { encoding: 'utf8' },
    );
    assert.equal(said, 'build builder buildpack\n');
    for (const [shell, ending] of [
      ['zsh', 'zsh'],
      ['fish', 'fish'],
    ] as const) {
      assert.equal((await pack(['completion', '-s', shell])).code, 0);
      assert.match(
        readFileSync(join(store.work, `home/completion.${ending}`), 'utf8'),
        /--trust-builder|-l trust-builder/,
      );
    }
    assert.equal((await pack(['completion', '--shell', 'csh'])).code, 1);
  });

  test('a zip archive is an application', async () => {
    const zip = join(store.work, 'app.zip');
    writeFileSync(zip, storedZip('app.txt', 'from the archive\n'));
    const built = await pack(['build', 'zipped', '-B', 'builder', '-p', zip, '-q', ...here.slice(0, 4)]);
    assert.equal(built.code, 0, built.stderr);
    assert.equal((await ok(['run', '--network', 'none', 'zipped'], store)).stdout, 'from the archive\n');
  });
});
