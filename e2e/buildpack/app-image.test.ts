import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { craftApp, craftRun } from '../../src/engine/app-images.suite.ts';
import type { Process } from '../../src/frontend/buildpack/index.ts';
import { parseReference } from '../../src/image/index.ts';
import { FaultProxy } from '../../src/registry/testing/fault-proxy.ts';
import { clientOf, registryOf } from '../../src/registry/testing/world.ts';
import { failsWith } from '../lib/failure.ts';
import { emptyStore } from '../lib/store.ts';
import { ok } from '../lib/strake.ts';

const process = (type: string, more: Partial<Process> = {}): Process => ({
  type,
  command: ['node'],
  args: ['main.js', type],
  direct: true,
  isDefault: false,
  workingDir: '',
  buildpackId: 'a/one',
  execEnv: [],
  ...more,
});

suite('an app image that buildpacks built', () => {
  test('is shown as it is in its registry and in the store', async () => {
    using store = emptyStore();
    await using registry = await registryOf();
    await using clients = clientOf();
    const name = `${registry.server.host}/app:1`;
    const run = craftRun(['run'], { labels: { 'io.buildpacks.stack.id': 'a.stack' } });
    const processes = [process('task', { direct: false, workingDir: '/w' }), process('web', { isDefault: true })];
    const { image } = await craftApp(run, { runName: 'reg.example/run:1', mirrors: ['mirror.example/run'], processes });
    await clients.client.push(image, parseReference(name));

    const remote = JSON.parse((await ok(['inspect', '-o', 'json', name], store)).stdout) as Record<string, unknown>;
    assert.equal(remote['local_info'], null);
    const { base_image: base, ...info } = remote['remote_info'] as {
      base_image: { reference: string; top_layer: string };
    };
    assert.match(base.reference, /^reg\.example\/run@sha256:/);
    assert.equal(base.top_layer, run.config.rootfs.diff_ids.at(-1));
    assert.deepEqual(info, {
      stack: 'a.stack',
      run_images: [{ name: 'reg.example/run:1' }, { name: 'mirror.example/run' }],
      buildpacks: [{ id: 'a/one', version: '1.2.3', homepage: 'https://one.example' }],
      processes: [
        {
          type: 'web',
          shell: '',
          command: 'node',
          default: true,
          args: ['main.js', 'web'],
          'working-dir': '/workspace',
        },
        {
          type: 'task',
          shell: 'bash',
          command: 'node',
          default: false,
          args: ['main.js', 'task'],
          'working-dir': '/w',
        },
      ],
      rebasable: true,
    });

    await ok(['pull', name], store);
    await ok(['tag', name, 'mine'], store);
    const { stdout } = await ok(['inspect', '-o', 'human-readable', name], store);
    const [, remoteText = '', localText = ''] = /REMOTE:\n(.*)\nLOCAL:\n(.*)$/s.exec(stdout) ?? [];
    assert.equal(remoteText.trim(), localText.trim());
    assert.match(localText, /Stack: a\.stack\n\nBase Image:\n {2}Reference: reg\.example\/run@/);
    assert.match(localText, /Run Images:\n {2}reg\.example\/run:1\n {2}mirror\.example\/run\n\nRebasable: true\n/);
    assert.match(localText, /a\/one +1\.2\.3 +https:\/\/one\.example\n/);
    assert.match(
      localText,
      /web \(default\) +node +main\.js web +\/workspace\n {2}task +bash +node +main\.js task +\/w\n/,
    );
    assert.match((await ok(['inspect', name], store)).stdout, /"RootFS"/);
  });

  test('gives its SBOMs: one layer is read, of a registry, too', async () => {
    using store = emptyStore();
    await using registry = await registryOf();
    await using proxy = await FaultProxy.listen(registry.server.url);
    await using clients = clientOf();
    const name = `${proxy.host}/app`;
    const run = craftRun(['run']);
    const app = await craftApp(run, { runName: 'reg.example/run', sbom: '{"bomFormat":"CycloneDX"}' });
    await clients.client.push(app.image, parseReference(name));
    proxy.seen.length = 0;
    const to = join(store.work, 'sbom');
    const path = 'layers/sbom/launch/a_one/sbom.cdx.json';
    const remote = await ok(['sbom', 'download', '--remote', '-o', to, name], store);
    assert.equal(remote.stdout, `${join(to, path)}\n`);
    assert.equal(readFileSync(join(to, path), 'utf8'), '{"bomFormat":"CycloneDX"}');
    const others = [...run.blobs, ...app.blobs.slice(1)];
    assert.deepEqual(
      proxy.asked(/blobs/).filter((line) => others.some((digest) => line.includes(digest))),
      [],
    );
    await ok(['pull', name], store);
    const local = await ok(['sbom', 'download', name], { ...store, cwd: store.work });
    assert.equal(local.stdout, `${path}\n`);
    assert.equal(readFileSync(join(store.work, path), 'utf8'), '{"bomFormat":"CycloneDX"}');
  });

  test('is none where it says nothing, or has no SBOM', async () => {
    using store = emptyStore();
    await using registry = await registryOf();
    await using clients = clientOf();
    const at = (name: string): string => `${registry.server.host}/${name}`;
    const run = craftRun(['run']);
    await clients.client.push(run.image, parseReference(at('plain')));
    await clients.client.push((await craftApp(run, { runName: at('run') })).image, parseReference(at('app')));
    const help = /buildpacks/;
    await failsWith(['inspect', '-o', 'yaml', at('plain')], {
      ...store,
      code: 64,
      says: ['it was not built by buildpacks'],
      help,
    });
    await failsWith(['sbom', 'download', '--remote', at('app')], {
      ...store,
      code: 66,
      says: ['could not find SBoM information'],
      help,
    });
  });
});
