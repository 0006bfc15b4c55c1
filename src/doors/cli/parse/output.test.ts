import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, suite, test } from 'node:test';
import { hasCode } from '../../../base/index.ts';
import { imageName, planOutputs, type OutputPlan, type OutputWishes } from './output.ts';

suite('outputs', () => {
  const cwd = mkdtempSync(join(tmpdir(), 'strake-output-'));
  after(() => rmSync(cwd, { recursive: true, force: true }));

  const plan = (specs: readonly string[], o: Partial<OutputWishes> = {}): OutputPlan =>
    planOutputs({
      specs,
      tags: ['app'],
      push: false,
      load: false,
      cwd,
      stdoutIsTerminal: false,
      platforms: [{ os: 'linux', architecture: 'amd64' }],
      insecure: (registry) => registry === 'plain:5000',
      ...o,
    });
  const refuses = (specs: readonly string[], message: RegExp, o: Partial<OutputWishes> = {}): void => {
    assert.throws(
      () => plan(specs, o),
      (error) => hasCode(error, 'USAGE', 'OUTPUT_TERMINAL', 'OUTPUT_INVALID') && message.test(error.message),
    );
  };
  /** Without what is not set. */
  const bare = (value: unknown): unknown => JSON.parse(JSON.stringify(value));

  test('nothing asked for is the store', () => {
    assert.deepEqual(plan([]).exports, [{ type: 'store', names: ['app'] }]);
    assert.deepEqual(plan([], { tags: [] }).exports, [{ type: 'store', names: [] }]);
  });

  test('a bare word is a folder, "-" a tar on standard output', () => {
    const folder = plan(['out']);
    assert.deepEqual(folder.exports, [{ type: 'local', sink: '0' }]);
    assert.deepEqual(folder.sinks.get('0'), { kind: 'folder', path: join(cwd, 'out') });
    const tar = plan(['-']);
    assert.deepEqual(tar.exports, [{ type: 'tar', sink: '0' }]);
    assert.equal(tar.usesStdout, true);
    refuses(['-'], /standard output is a terminal/, { stdoutIsTerminal: true });
  });

  test('archives and layouts', () => {
    const oci = plan(['type=oci,dest=a.tar,compression=zstd,compression-level=5,name=x:1']);
    assert.deepEqual(bare(oci.exports), [
      { type: 'oci', sink: '0', tar: true, names: ['x:1'], compression: { name: 'zstd', level: 5 } },
    ]);
    assert.deepEqual(oci.sinks.get('0'), { kind: 'file', path: join(cwd, 'a.tar') });
    const layout = plan(['type=oci,dest=lay,tar=false']);
    assert.deepEqual(bare(layout.exports), [{ type: 'oci', sink: '0', tar: false, names: ['app'] }]);
    assert.deepEqual(layout.sinks.get('0'), { kind: 'folder', path: join(cwd, 'lay') });
    refuses(['type=oci,tar=false'], /the folder is missing/);
    refuses(['type=oci'], /standard output is a terminal/, { stdoutIsTerminal: true });
    refuses([`type=oci,dest=${cwd}`], /is a folder/);
    writeFileSync(join(cwd, 'file'), '');
    refuses(['type=local,dest=file'], /is not a folder/);
    refuses(['type=oci', 'type=tar'], /write 2 outputs to standard output/);
    assert.deepEqual(bare(plan(['type=docker,dest=d.tar']).exports), [
      { type: 'docker', sink: '0', tar: true, names: ['app'] },
    ]);
  });

  test('daemons', () => {
    assert.deepEqual(bare(plan(['type=docker']).exports), [{ type: 'docker-daemon', names: ['app'] }]);
    assert.deepEqual(bare(plan(['type=docker-daemon,socket=unix:///run/x.sock']).exports), [
      { type: 'docker-daemon', names: ['app'], socket: '/run/x.sock' },
    ]);
    assert.deepEqual(
      plan([], { load: true }).exports.map(({ type }) => type),
      ['store', 'docker-daemon'],
    );
    assert.deepEqual(
      plan(['type=docker'], { load: true }).exports.map(({ type }) => type),
      ['docker-daemon'],
    );
  });

  test("containerd's image store", () => {
    assert.deepEqual(bare(plan(['type=containerd']).exports), [{ type: 'containerd', names: ['app'] }]);
    assert.deepEqual(
      bare(
        plan([
          'type=containerd,name=a:1,address=unix:///run/c.sock,namespace=k8s.io,unpack=true,compression=zstd,oci-mediatypes=false',
        ]).exports,
      ),
      [
        {
          type: 'containerd',
          names: ['a:1'],
          address: '/run/c.sock',
          namespace: 'k8s.io',
          unpack: true,
          compression: { name: 'zstd' },
          docker: true,
        },
      ],
    );
    refuses(['type=containerd'], /it has no name/, { tags: [] });
    refuses(['type=containerd,socket=x'], /no attribute "socket"/);
  });

  test('registries', () => {
    assert.deepEqual(bare(plan([], { push: true, tags: ['r.example/a', 'plain:5000/b'] }).exports), [
      { type: 'store', names: ['r.example/a', 'plain:5000/b'] },
      { type: 'registry', names: ['r.example/a'] },
      { type: 'registry', names: ['plain:5000/b'], insecure: true },
    ]);
    assert.deepEqual(bare(plan(['type=image,name=r.example/a,push=true,oci-mediatypes=false']).exports), [
      { type: 'store', names: ['r.example/a'] },
      { type: 'registry', names: ['r.example/a'], docker: true },
    ]);
    assert.deepEqual(bare(plan(['type=registry,"name=r.example/a,r.example/b",registry.insecure=true']).exports), [
      { type: 'registry', names: ['r.example/a', 'r.example/b'], insecure: true },
    ]);
    assert.deepEqual(
      plan(['type=image'], { push: true }).exports.map(({ type }) => type),
      ['store', 'registry'],
    );
    assert.deepEqual(
      plan(['out'], { push: true }).exports.map(({ type }) => type),
      ['local', 'registry'],
    );
    refuses([], /it has no name/, { push: true, tags: [] });
    const [pushed] = plan([
      'type=registry,name=r.example/a,push-by-digest=true,name-canonical=true,compression=zstd,force-compression=true',
    ]).exports;
    assert.deepEqual(bare([pushed!]), [
      { type: 'registry', names: ['r.example/a'], byDigest: true, compression: { name: 'zstd', force: true } },
    ]);
  });

  test('annotations and timestamps', () => {
    const { annotations, rewriteTimestamp } = plan([
      'type=oci,dest=a,annotation.k=v,annotation-index.i=w,annotation[linux/arm64].z=x,rewrite-timestamp=false',
    ]);
    assert.deepEqual(annotations, [
      { level: 'manifest', key: 'k', value: 'v' },
      { level: 'index', key: 'i', value: 'w' },
    ]);
    assert.equal(rewriteTimestamp, false);
    assert.equal(plan([]).rewriteTimestamp, undefined);
  });

  test('what cannot be meant', () => {
    refuses(['type=nope'], /there is no type "nope"/);
    refuses(['dest=x,tar=true'], /the type is missing/);
    refuses(['type=local'], /the folder is missing/);
    refuses(['type=oci,dest=x,level=9'], /type=oci has no attribute "level"/);
    refuses(['type=oci,dest=x,compression=lz4'], /there is no compression "lz4"/);
    refuses(['type=oci,dest=x,tar=maybe'], /neither true nor false/);
    refuses(['type=oci,dest=x,compression=estargz'], /there is no compression "estargz"/);
    assert.deepEqual(plan(['type=cacheonly']).exports, []);
    assert.throws(() => imageName(`a@sha256:${'0'.repeat(64)}`), /a name cannot have a digest/);
    assert.throws(() => imageName('UPPER'), /read image name "UPPER"/);
  });
});
