import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { CHECKOUT } from '../lib/strake.ts';
import { leftovers } from '../lib/leftovers.ts';
import { emptyStore, type TestStore } from '../lib/store.ts';
import { ok, strake } from '../lib/strake.ts';
import { folderWith } from './context.ts';

const FILES = {
  Dockerfile: 'FROM scratch\nCOPY one /one\nCOPY two /two\nENV A=1\nCMD ["/one"]\n',
  one: 'one\n',
  two: 'two\n'.repeat(1000),
};

async function built(store: TestStore, name: string): Promise<string> {
  const { stdout } = await ok(['build', '-q', '-t', name, folderWith(join(store.work, 'c'), FILES)], store);
  return stdout.trim();
}

suite('images of the store', () => {
  test('images, inspect, history, tag, rm', async () => {
    using store = emptyStore();
    const id = await built(store, 'app');
    await ok(['tag', 'app', 'registry.example:5000/team/app:1.0', 'other'], store);

    const table = (await ok(['images'], store)).stdout.split('\n');
    assert.match(table[0] ?? '', /^REPOSITORY +TAG +IMAGE ID +CREATED +SIZE$/);
    assert.equal(table.filter((line) => line.includes(id.slice(7, 19))).length, 3);
    assert.equal((await ok(['images', '-q', '--no-trunc'], store)).stdout, `${id}\n`);
    assert.match(
      (await ok(['images', 'registry.example:5000/team/app'], store)).stdout,
      /^registry\.example:5000\/team\/app +1\.0 /m,
    );
    const [listed] = JSON.parse((await ok(['images', '--format', 'json'], store)).stdout) as [
      { id: string; names: string[] },
    ];
    assert.equal(listed.id, id);
    assert.equal(listed.names.length, 3);

    const [inspected] = JSON.parse((await ok(['inspect', id.slice(7, 15)], store)).stdout) as [Record<string, unknown>];
    assert.equal(inspected['Id'], id);
    assert.deepEqual((inspected['Config'] as { Cmd: string[] }).Cmd, ['/one']);
    assert.match((await ok(['inspect', '--format', 'text', 'app'], store)).stdout, /^Command +\["\/one"\]$/m);

    const history = (await ok(['history', 'app'], store)).stdout;
    assert.match(history, /^\S.* +CMD \["\/one"\] +0B/m);
    assert.match(history, /COPY two \/two # buildkit/);
    const steps = JSON.parse((await ok(['history', '--format', 'json', 'app'], store)).stdout) as { size: number }[];
    assert.equal(steps.length, 4);

    assert.equal((await ok(['rm', 'other'], store)).stdout, 'Untagged: other:latest\n');
    assert.equal((await strake(['rm', 'other'], store)).code, 66);
    assert.equal((await strake(['rm', '-f', 'other'], store)).code, 0);
    const removed = (await ok(['rmi', id], store)).stdout;
    assert.match(removed, new RegExp(`^Deleted: ${id}$`, 'm'));
    assert.equal((await ok(['images', '-q', '-a'], store)).stdout, '');
    const near = await strake(['inspect', 'app'], store);
    assert.equal(near.code, 66);
    assert.match(near.stderr, /^help: /m);
  });

  test('save, load and copy give the same image, whichever way', async () => {
    using store = emptyStore();
    const id = await built(store, 'app');
    const at = (name: string): string => join(store.work, name);
    await ok(['save', 'app', '-o', at('docker.tar')], store);
    await ok(['save', 'app', '--format', 'oci', '--compression', 'zstd:3', '-o', at('oci.tar')], store);
    const { stdout: digest } = await ok(['copy', 'store:app', `oci:${at('layout')}:app`], store);
    assert.match(digest, /^sha256:[0-9a-f]{64}\n$/);
    for (const source of ['docker.tar', 'oci.tar', 'layout']) {
      using other = emptyStore();
      const { stdout } = await ok(['load', '-q', '-i', at(source)], other);
      assert.match(stdout, new RegExp(id), source);
      const copied = await ok(['images', '-q', '-a', '--no-trunc'], other);
      assert.equal(copied.stdout, `${id}\n`, source);
    }
    using other = emptyStore();
    const piped = execFileSync(
      'sh',
      ['-c', '"$0" save app | STRAKE_ROOT="$1" "$0" load', join(CHECKOUT, 'strake'), other.root],
      {
        encoding: 'utf8',
        env: { ...process.env, STRAKE_ROOT: store.root },
      },
    );
    assert.equal(piped, 'Loaded: app:latest\n');
    await ok(['copy', `oci-archive:${at('oci.tar')}`, 'store:copied'], other);
    assert.match((await ok(['images', '--no-trunc', 'copied'], other)).stdout, new RegExp(id));
    assert.equal((await strake(['load', at('nothing.tar')], store)).code, 66);
    assert.equal((await strake(['load', at('c/one')], store)).code, 64);
    for (const one of [store, other]) assert.deepEqual(leftovers(one.root), []);
  });

  test('prune gives back what nothing needs', async () => {
    using store = emptyStore();
    await built(store, 'app');
    await ok(['rm', 'app'], store);
    const dry = await ok(['prune', '--all', '--dry-run'], store);
    assert.match(dry.stdout, /^Would give back /);
    const report = JSON.parse((await ok(['prune', '--all', '--format', 'json'], store)).stdout) as {
      blobs: number;
      results: number;
    };
    assert.ok(report.blobs >= 2 && report.results >= 2, JSON.stringify(report));
    const again = JSON.parse((await ok(['prune', '--all', '--format', 'json'], store)).stdout) as {
      blobs: number;
      bytes: number;
    };
    assert.deepEqual([again.blobs, again.bytes], [0, 0]);
    assert.equal((await strake(['prune', '--older-than', 'soon'], store)).code, 64);
  });

  test('a store that cannot be', async () => {
    using store = emptyStore();
    const root = join(folderWith(store.work, { file: '' }), 'file/store');
    const { code, stderr } = await strake(['images'], { root });
    assert.equal(code, 77);
    assert.match(stderr, /^error: open the store ".*\/file\/store"/);
  });
});
