import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { MemoryBlobStore, type Descriptor } from '../../src/blob/index.ts';
import { registryOf } from '../../src/registry/testing/world.ts';
import { emptyStore, type TestStore } from '../lib/store.ts';
import { ok } from '../lib/strake.ts';
import { buildTestBuilder, write } from './test-builder.ts';

/** Keeps which blobs were read. */
class WatchedBlobs extends MemoryBlobStore {
  readonly read = new Set<string>();

  override open(...args: Parameters<MemoryBlobStore['open']>): ReturnType<MemoryBlobStore['open']> {
    this.read.add(args[0].digest);
    return super.open(...args);
  }
}

const CACHED = `
if [ -f "$CNB_LAYERS_DIR/tool.toml" ]; then echo "restored: $(cat "$CNB_LAYERS_DIR/tool/made")"; else echo nothing restored; fi
mkdir -p "$CNB_LAYERS_DIR/tool"
[ -f "$CNB_LAYERS_DIR/tool/made" ] || echo once > "$CNB_LAYERS_DIR/tool/made"
printf '[types]\\nlaunch = true\\ncache = true\\n' > "$CNB_LAYERS_DIR/tool.toml"
printf '[[processes]]\\ntype = "web"\\ncommand = ["cat", "file"]\\ndefault = true\\n' > "$CNB_LAYERS_DIR/launch.toml"
`;

/** Its layer is for launch alone: the next build knows its metadata, not what is in it. */
const REUSED = `
if grep -q 'version = "7"' "$CNB_LAYERS_DIR/data.toml" 2>/dev/null; then
  echo reused as it is
else
  mkdir -p "$CNB_LAYERS_DIR/data"
  echo data > "$CNB_LAYERS_DIR/data/file"
fi
printf '[types]\\nlaunch = true\\n[metadata]\\nversion = "7"\\n' > "$CNB_LAYERS_DIR/data.toml"
`;

suite('an application to a registry', () => {
  let blobs: WatchedBlobs;
  let registry: Awaited<ReturnType<typeof registryOf>>;
  let seed: TestStore;
  let app: string;

  before(async () => {
    blobs = new WatchedBlobs();
    registry = await registryOf({ blobs });
    seed = emptyStore();
    app = join(seed.work, 'app');
    write(join(app, 'file'), 'first\n');
    await buildTestBuilder(seed, {
      buildpacks: [
        { id: 'test/cached', build: CACHED },
        { id: 'test/reused', build: REUSED },
      ],
    });
    await runImage('one');
    await ok(['push', 'builder', at('builder')], { root: seed.root });
  });
  after(async () => {
    seed[Symbol.dispose]();
    await registry[Symbol.asyncDispose]();
  });

  const at = (name: string): string => `${registry.server.host}/${name}`;
  /** Pushes a run image with a layer that the builder has not. */
  const runImage = async (content: string): Promise<void> => {
    const context = join(seed.work, 'run-image');
    write(join(context, 'Dockerfile'), 'FROM run\nCOPY base /base\n');
    write(join(context, 'base'), `${content} base\n`);
    const env = { SOURCE_DATE_EPOCH: '0' };
    await ok(['build', '-q', '-t', at('run'), '--push', context], { root: seed.root, env });
  };
  /** Builds in a store of its own. */
  const build = async (name: string, ...more: readonly string[]): Promise<{ log: string; digest: string }> => {
    using store = emptyStore();
    const metadata = join(store.work, 'metadata.json');
    const args = ['-B', at('builder'), '--run-image', at('run'), '--cache-image', at('cache')];
    const { stderr } = await ok(
      ['build', '--progress=plain', ...args, '--metadata-file', metadata, '--push', '-t', at(name), ...more, app],
      { root: store.root },
    );
    const { 'containerimage.digest': digest } = JSON.parse(readFileSync(metadata, 'utf8')) as Record<string, string>;
    return { log: stderr, digest: digest ?? '' };
  };
  const layersOf = async (name: string): Promise<readonly Descriptor[]> => {
    const answer = await fetch(`${registry.server.url.href}v2/${name}/manifests/latest`, {
      headers: {
        accept: 'application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json',
      },
    });
    return ((await answer.json()) as { layers: Descriptor[] }).layers;
  };

  test('the next build, on another machine, restores the cache and reuses layers without downloading them', async () => {
    const first = await build('app');
    assert.match(first.log, /nothing restored/);
    const layers = await layersOf('app');
    write(join(app, 'file'), 'second\n');
    blobs.read.clear();
    const second = await build('app');
    assert.match(second.log, /restored: once/);
    assert.match(second.log, /reused as it is/);
    assert.match(second.log, /Reusing layer 'test\/reused:data'/);
    const base = (await layersOf('run')).length;
    const [onlyRun, tool, data] = [layers[base - 1], layers[base], layers[base + 1]];
    // What the cache has is looked into; the run image and what is reused are not.
    assert.ok(tool && blobs.read.has(tool.digest));
    for (const layer of [onlyRun, data]) assert.ok(layer && !blobs.read.has(layer.digest), String(layer?.digest));
    assert.deepEqual(
      (await layersOf('app')).slice(0, base + 2).map(({ digest }) => digest),
      layers.slice(0, base + 2).map(({ digest }) => digest),
    );
  });

  test('two machines come to one digest; a rebase comes to what a build on the new base is', async () => {
    const flags = ['--clear-cache', '--previous-image', at('none')];
    const one = await build('one', ...flags);
    const two = await build('two', ...flags);
    assert.equal(one.digest, two.digest);
    await runImage('two');
    const fresh = await build('three', ...flags);
    assert.notEqual(fresh.digest, one.digest);
    using store = emptyStore();
    blobs.read.clear();
    const rebased = await ok(['rebase', '--publish', at('one')], { root: store.root });
    assert.equal(rebased.stdout.trim(), `${at('one')}@${fresh.digest}`);
    for (const { digest } of await layersOf('one')) assert.ok(!blobs.read.has(digest), digest);
  });
});
