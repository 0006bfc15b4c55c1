import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { craftApp, craftRun } from '../../src/engine/app-images.suite.ts';
import { descriptorOf, imageId, parseReference } from '../../src/image/index.ts';
import { clientOf, registryOf } from '../../src/registry/testing/world.ts';
import { failsWith } from '../lib/failure.ts';
import { emptyStore, storeWithBuilder } from '../lib/store.ts';
import { CHECKOUT, ok } from '../lib/strake.ts';
import { buildTestBuilder, write } from './test-builder.ts';

suite('strake rebase', () => {
  test('in a registry, and in the store: the digest that a build on the new base has, and a report', async () => {
    using store = emptyStore();
    await using registry = await registryOf();
    await using clients = clientOf();
    const at = (name: string): string => `${registry.server.host}/${name}`;
    const [old, now] = [craftRun(['old']), craftRun(['new', 'newer'])];
    const app = await craftApp(old, { runName: at('run') });
    const fresh = await craftApp(now, { runName: at('run') });
    for (const [name, image] of [
      ['run', now.image],
      ['app:1', app.image],
      ['app:2', app.image],
    ] as const)
      await clients.client.push(image, parseReference(at(name)));
    const reports = join(store.root, 'reports');

    const pushed = await ok(['rebase', '--publish', '--report-output-dir', reports, at('app:1')], store);
    const { digest, size } = await descriptorOf(fresh.image);
    assert.equal(pushed.stdout, `${at('app:1')}@${digest}\n`);
    assert.equal(
      readFileSync(join(reports, 'report.toml'), 'utf8'),
      `[image]\n  tags = ["${at('app:1')}"]\n  digest = "${digest}"\n  manifest-size = ${size}\n`,
    );
    assert.equal((await ok(['images', '-q'], store)).stdout, '');

    await ok(['pull', at('app:2')], store);
    const id = await imageId(fresh.image);
    const kept = await ok(['rebase', '--previous-image', at('app:2'), '--report-output-dir', reports, 'mine:1'], store);
    assert.equal(kept.stdout, `${id}\n`);
    assert.equal(
      readFileSync(join(reports, 'report.toml'), 'utf8'),
      `[image]\n  tags = ["mine:1"]\n  image-id = "${id}"\n`,
    );
    assert.match((await ok(['inspect', 'mine:1'], store)).stdout, new RegExp(id));
  });

  test('of what strake built: the image that a build on the new run image gives', async () => {
    using store = emptyStore();
    const launch = '[[processes]]\\ntype = "web"\\ncommand = ["cat", "/etc/which"]\\ndefault = true\\n';
    await buildTestBuilder(store, {
      buildpacks: [{ id: 'test/one', build: `printf '${launch}' > "$CNB_LAYERS_DIR/launch.toml"` }],
    });
    const app = join(store.work, 'app');
    write(join(app, 'file'), 'the app\n');
    const run = join(store.work, 'run');
    const runImage = async (which: string): Promise<void> => {
      write(join(run, 'which'), which);
      write(join(run, 'Dockerfile'), 'FROM run:first\nCOPY which /etc/which\n');
      await ok(['build', '-q', '-t', 'run', run], store);
    };
    const build = (name: string) => ok(['build', '-q', '-B', 'builder', '-t', name, app], store);
    await ok(['tag', 'run', 'run:first'], store);
    await runImage('the old one\n');
    await build('app');
    await runImage('the new one\n');
    const { stdout } = await ok(['rebase', '--pull-policy', 'never', 'app'], store);
    assert.equal(stdout, (await build('fresh')).stdout);
    assert.match((await ok(['run', '--rm', 'app'], store)).stdout, /the new one/);
  });

  test('of what the embedded builder built: its run image is made again, and is the same', async () => {
    using store = await storeWithBuilder();
    const app = join(CHECKOUT, 'examples/procfile-app');
    const built = await ok(['build', '-q', '-t', 'app', app], store);
    assert.equal((await ok(['rebase', 'app'], store)).stdout, built.stdout);
  });

  test('says why not, and what was forced', async () => {
    using store = emptyStore();
    await using registry = await registryOf();
    await using clients = clientOf();
    const at = (name: string): string => `${registry.server.host}/${name}`;
    const run = craftRun(['old']);
    const app = await craftApp(run, { runName: at('run') });
    await clients.client.push(app.image, parseReference(at('app')));
    await clients.client.push(craftRun(['new']).image, parseReference(at('other')));
    await failsWith(['rebase', '--publish', '--run-image', at('other'), at('app')], {
      ...store,
      code: 1,
      says: [
        `new base image "${at('other')}" not found in existing run image metadata: "${at('run')}"`,
        'please provide -force to override',
      ],
      help: '--force',
    });
    const forced = await ok(['rebase', '--publish', '--force', '--run-image', at('other'), at('app')], store);
    assert.match(forced.stderr, /warning: new base image ".*other" not found/);
  });
});
