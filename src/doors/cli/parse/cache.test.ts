import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CodedError } from '../../../base/index.ts';
import { digestOf } from '../../../blob/index.ts';
import { cacheFrom, cacheTo } from './cache.ts';

const o = { cwd: '/work' };
const refused = (call: () => unknown, code: string, says: RegExp): void =>
  assert.throws(call, (error) => error instanceof CodedError && error.code === code && says.test(error.message));

test('--cache-from: registries, folders, references alone', () => {
  const digest = digestOf('x');
  assert.deepEqual(
    cacheFrom(
      [
        'type=registry,ref=host:5000/app:cache,registry.insecure=true',
        'app',
        'host/a,host/b:1',
        `type=local,src=cache,tag=main`,
        `type=local,src=/else,digest=${digest}`,
        '',
      ],
      o,
    ),
    [
      { type: 'registry', ref: 'host:5000/app:cache', insecure: true },
      { type: 'registry', ref: 'docker.io/library/app:latest', insecure: undefined },
      ...['docker.io/host/a:latest', 'docker.io/host/b:1'].map((ref) => ({
        type: 'registry',
        ref,
        insecure: undefined,
      })),
      { type: 'local', folder: '/work/cache', name: 'cache', tag: 'main', digest: undefined },
      { type: 'local', folder: '/else', name: '/else', tag: 'latest', digest },
    ],
  );
});

test('--cache-to: all that BuildKit takes', () => {
  const all =
    'type=registry,ref=host:5000/c,mode=max,compression=zstd,compression-level=9,force-compression=true,oci-mediatypes=true,image-manifest=false,mounts=true,ignore-error=true';
  const plan = cacheTo(
    [all, 'type=local,dest=out,tag=t', 'type=inline', 'type=registry,ref=host:5000/d,oci-mediatypes=false'],
    o,
  );
  const [first, second, third, fourth] = plan.exports;
  assert.deepEqual(first, {
    type: 'registry',
    ref: 'host:5000/c:latest',
    insecure: undefined,
    mode: 'max',
    compression: { name: 'zstd', level: 9 },
    forceCompression: true,
    docker: undefined,
    asIndex: true,
    mounts: true,
    ignoreError: true,
  });
  assert.deepEqual(second && 'sink' in second && [second.sink, second.name, second.tag, second.mode], [
    'cache-1',
    'out',
    't',
    'min',
  ]);
  assert.deepEqual(third, { type: 'inline' });
  assert.deepEqual(fourth && 'docker' in fourth && [fourth.docker, fourth.asIndex], [true, true]);
  assert.deepEqual([...plan.folders], [['cache-1', '/work/out']]);
});

test('caches among the objects of clouds keep their attributes apart', () => {
  const text = 'type=s3,bucket=b,region=r,secret_access_key=hush,prefix=p/,mode=max,ignore-error=true';
  const { exports, objects } = cacheTo([text], o);
  assert.deepEqual(exports, [
    {
      type: 'objects',
      store: 'cache-to-0',
      name: 's3:b',
      mode: 'max',
      ignoreError: true,
      compression: undefined,
      forceCompression: undefined,
      docker: undefined,
      asIndex: undefined,
      mounts: undefined,
    },
  ]);
  assert.deepEqual(
    [...(objects.get('cache-to-0')?.attributes ?? [])],
    [
      ['bucket', 'b'],
      ['region', 'r'],
      ['prefix', 'p/'],
      ['secret_access_key', 'hush'],
    ],
  );
  assert.deepEqual(cacheFrom(['type=gha,scope=main'], o), [{ type: 'gha', attributes: new Map([['scope', 'main']]) }]);
});

test('what is not meant is said', () => {
  refused(() => cacheFrom(['type=s3,bucket=b,container=c'], o), 'USAGE', /no attribute "container"/);
  refused(() => cacheFrom(['type=inline'], o), 'USAGE', /read by its name/);
  refused(() => cacheTo(['type=registry'], o), 'USAGE', /"ref" is missing/);
  refused(() => cacheTo(['ref=x'], o), 'USAGE', /type is missing/);
  refused(() => cacheTo(['type=nothing,ref=x'], o), 'USAGE', /no type "nothing"/);
  refused(() => cacheTo(['type=local,dest=x,mode=most'], o), 'USAGE', /no mode "most"/);
  refused(() => cacheTo(['type=local,dest=x,src=y'], o), 'USAGE', /no attribute "src"/);
  refused(() => cacheTo(['type=registry,ref=x,compression=xz'], o), 'USAGE', /no compression "xz"/);
  refused(() => cacheTo([`type=registry,ref=x@${digestOf('')}`], o), 'USAGE', /not a digest/);
  refused(
    () => cacheTo(['type=registry,ref=x,oci-mediatypes=false,image-manifest=true'], o),
    'USAGE',
    /needs oci-mediatypes/,
  );
  refused(() => cacheTo(['type=inline', 'type=inline'], o), 'USAGE', /twice/);
  refused(() => cacheFrom(['type=registry,ref=UPPER/x'], o), 'REFERENCE_INVALID', /UPPER/);
  refused(() => cacheFrom(['type=local,src=x,digest=abc'], o), 'USAGE', /digest "abc"/);
});
