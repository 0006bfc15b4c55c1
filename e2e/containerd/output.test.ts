import assert from 'node:assert/strict';
import { copyFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { needsContainerd, startContainerd, type TestContainerd } from '../lib/containerd.ts';
import { emptyStore, type TestStore } from '../lib/store.ts';
import { strake, type StrakeResult } from '../lib/strake.ts';

suite("images go into containerd's store", { skip: needsContainerd }, () => {
  let server: TestContainerd;
  let store: TestStore;
  before(async () => {
    server = await startContainerd();
    store = emptyStore();
    copyFileSync('/bin/busybox', join(store.work, 'busybox'));
  });
  after(async () => {
    await server[Symbol.asyncDispose]();
    store[Symbol.dispose]();
  });

  const build = (dockerfile: string, output: string, ...more: readonly string[]): Promise<StrakeResult> => {
    writeFileSync(join(store.work, 'Dockerfile'), dockerfile);
    const to = `type=containerd,address=${server.address},${output}`;
    return strake(['build', '--progress', 'plain', '-o', to, ...more, store.work], { root: store.root });
  };
  /** Containerd's collector takes what nothing refers to. */
  const collect = (namespace: string): void => {
    server.ctr(namespace, 'leases', 'create', '--id', 'collect');
    server.ctr(namespace, 'leases', 'delete', '--sync', 'collect');
  };
  const ONE = 'FROM scratch\nCOPY busybox /bin/busybox\nENTRYPOINT ["/bin/busybox"]\nCMD ["echo", "from inside"]\n';

  test('ctr runs it; what is there does not travel again; what nobody names is collected', async () => {
    const namespace = 'k8s.io';
    const first = await build(ONE, `name=local/one:1,namespace=${namespace},unpack=true`);
    assert.equal(first.code, 0, first.stderr);
    assert.match(first.stderr, /3 of 3 blobs were not there/);
    assert.match(first.stderr, /naming to docker\.io\/local\/one:1/);
    collect(namespace);
    const checked = server.ctr(namespace, 'images', 'check', 'name==docker.io/local/one:1');
    assert.match(checked, /docker\.io\/local\/one:1.*complete \(2\/2\).*true/);
    assert.equal(server.ctr(namespace, 'run', '--rm', 'docker.io/local/one:1', 'c1'), 'from inside\n');
    const args = ['run', '--rm', 'docker.io/local/one:1', 'c2', '/bin/busybox', 'echo', 'by args'];
    assert.equal(server.ctr(namespace, ...args), 'by args\n');

    const second = await build(`${ONE}COPY Dockerfile /added\n`, `name=local/one:2,namespace=${namespace}`);
    assert.equal(second.code, 0, second.stderr);
    assert.match(second.stderr, /3 of 4 blobs were not there/);
    const again = await build(`${ONE}COPY Dockerfile /added\n`, `name=local/one:2,namespace=${namespace},unpack=true`);
    assert.match(again.stderr, /0 of 4 blobs were not there/);
    collect(namespace);
    assert.equal(server.left(namespace).snapshots.length, 2);
    assert.deepEqual(server.left(namespace).leases, []);

    server.ctr(namespace, 'images', 'rm', '--sync', 'docker.io/local/one:1');
    assert.equal(server.left(namespace).snapshots.length, 2);
    const more = ['run', '--rm', 'docker.io/local/one:2', 'c3', '/bin/busybox', 'ls', '/'];
    assert.match(server.ctr(namespace, ...more), /added/);
    server.ctr(namespace, 'images', 'rm', '--sync', 'docker.io/local/one:2');
    assert.equal(server.ctr(namespace, 'content', 'ls', '-q'), '');
    assert.deepEqual(server.left(namespace).snapshots, []);
  });

  test('an index of two platforms, in zstd, is complete', async () => {
    const platforms = ['--platform', 'linux/amd64,linux/arm64'];
    const made = await build(ONE, 'name=two,compression=zstd,unpack=true', ...platforms);
    assert.equal(made.code, 0, made.stderr);
    collect('default');
    const listed = server.ctr('default', 'images', 'ls', 'name==docker.io/library/two:latest');
    assert.match(
      listed,
      /docker\.io\/library\/two:latest\s+application\/vnd\.oci\.image\.index\.v1\+json .*linux\/amd64,linux\/arm64/,
    );
    assert.match(server.ctr('default', 'images', 'check', '-q', 'name==docker.io/library/two:latest'), /two:latest/);
    if (process.arch === 'x64' || process.arch === 'arm64')
      assert.equal(server.ctr('default', 'run', '--rm', 'docker.io/library/two:latest', 'c4'), 'from inside\n');
  });

  test('what cannot be is refused, and leaves nothing', async () => {
    const nameless = await build(ONE, 'namespace=none');
    assert.equal(nameless.code, 64);
    assert.match(nameless.stderr, /export the image to containerd: it has no name/);
    const wrong = await build(ONE, 'name=x,namespace=none,unpack=true,snapshotter=nothing');
    assert.notEqual(wrong.code, 0);
    assert.match(wrong.stderr, /snapshot/);
    collect('none');
    assert.equal(server.ctr('none', 'content', 'ls', '-q'), '');
    assert.equal(server.ctr('none', 'images', 'ls', '-q'), '');
    writeFileSync(join(store.work, 'Dockerfile'), ONE);
    const absent = await strake(['build', '-t', 'x', '-o', 'type=containerd,address=/nowhere.sock', store.work], {
      root: store.root,
    });
    assert.match(absent.stderr, /connect to containerd at "\/nowhere\.sock": no such file or folder/);
  });
});
