import assert from 'node:assert/strict';
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { CodedError, kindOf } from '../base/index.ts';
import type { Frontend, PlannedImage } from '../frontend/index.ts';
import { scratch, type State } from '../graph/index.ts';
import { tarFileTree } from '../tree/index.ts';
import { EngineRig, type Built } from './engine-rig.suite.ts';

const STAGES = `FROM scratch AS build
COPY src /src
RUN append /src/app -built
FROM scratch
COPY --from=build /src/app /app
RUN write /greeting hello && cat /app
CMD ["/app"]
`;

function done(built: Built): string {
  if (built.error !== undefined) throw built.error as Error;
  return built.id ?? assert.fail('no image');
}

/** What is in the folder that only lives while something runs. */
function left(rig: EngineRig): string[] {
  const names = (path: string): string[] =>
    existsSync(path) ? readdirSync(path, { recursive: true, encoding: 'utf8' }) : [];
  return [...names(join(rig.root, 'tmp')), ...names(join(rig.root, 'blobs/ingest'))];
}

test('COPY, RUN and several stages come to an image with the config and history that BuildKit writes', async () => {
  await using rig = await EngineRig.open();
  const built = await rig.build({ Dockerfile: STAGES, 'src/app': 'program' }, { names: ['app:1'] });
  const id = done(built);
  assert.match(built.log, /program-built/);
  const { config, names, layers } = await rig.engine.images.inspect('app:1');
  assert.deepEqual(names, ['app:1']);
  assert.deepEqual(config.config?.Cmd, ['/app']);
  assert.deepEqual(
    config.history?.map(({ created_by, empty_layer, comment }) => [created_by, empty_layer, comment]),
    [
      ['COPY /src/app /app # buildkit', undefined, 'buildkit.dockerfile.v0'],
      ['RUN /bin/sh -c write /greeting hello && cat /app # buildkit', undefined, 'buildkit.dockerfile.v0'],
      ['CMD ["/app"]', true, 'buildkit.dockerfile.v0'],
    ],
  );
  assert.deepEqual(
    config.rootfs.diff_ids,
    layers.map(({ diffId }) => diffId),
  );
  assert.equal(layers.length, 2);
  assert.equal(config.created, config.history?.at(-1)?.created);
  assert.equal(built.result?.metadata['containerimage.config.digest'], id);
  assert.deepEqual(left(rig), []);
});

test('building the same again runs nothing, opens no ground and gives the same image, in this engine and the next', async () => {
  await using rig = await EngineRig.open();
  const files = { Dockerfile: STAGES, 'src/app': 'program' };
  const id = done(await rig.build(files));
  const again = await rig.build(files);
  assert.deepEqual([done(again), again.ran], [id, []]);
  assert.ok(again.events.some((event) => event.kind === 'cached'));
  await using next = await EngineRig.open({ root: rig.root });
  const later = await next.build(files);
  assert.deepEqual([done(later), later.ran, next.ground.opened], [id, [], 0]);
  assert.ok(!later.events.some((event) => event.kind === 'ground'));
});

test('a change of one file runs its COPY and what follows; a file that no step reads changes nothing', async () => {
  await using rig = await EngineRig.open();
  const Dockerfile = 'FROM scratch\nCOPY a /a\nRUN write /1 x\nCOPY b /b\nRUN write /2 x\n';
  const id = done(await rig.build({ Dockerfile, a: 'a', b: 'b', other: '1' }));
  assert.equal(done(await rig.build({ Dockerfile, a: 'a', b: 'b', other: '2' })), id);
  const changed = await rig.build({ Dockerfile, a: 'a', b: 'B' });
  assert.notEqual(done(changed), id);
  assert.deepEqual(changed.ran, ['[3/4] COPY b /b', '[4/4] RUN write /2 x']);
});

test('a RUN that fails says what, where and with which code, shows its output, and leaves nothing', async () => {
  await using rig = await EngineRig.open();
  const built = await rig.build({ Dockerfile: 'FROM scratch\nRUN write /a 1\nRUN echo working && exit 7\n' });
  assert.ok(built.error instanceof CodedError);
  assert.deepEqual([built.error.code, built.error.kind], ['STEP_FAILED', 'failed']);
  assert.match(
    built.error.message,
    /process "\/bin\/sh -c echo working && exit 7" did not complete successfully: exit code: 7/,
  );
  assert.deepEqual([built.error.place?.file, built.error.place?.line], ['Dockerfile', 3]);
  assert.match(built.log, /working/);
  const failed = built.events.filter((event) => event.kind === 'completed' && event.error !== undefined);
  assert.equal(failed.length, 1);
  assert.ok(built.events.some((event) => event.kind === 'ground'));
  assert.equal(built.result, undefined);
  assert.deepEqual(left(rig), []);
  const fixed = await rig.build({ Dockerfile: 'FROM scratch\nRUN write /a 1\nRUN echo working && exit 0\n' });
  assert.deepEqual(fixed.ran, ['[2/2] RUN echo working && exit 0']);
});

test('cancelling ends the build with nothing left running, and its vertex is told of as cancelled', async () => {
  await using rig = await EngineRig.open();
  const controller = new AbortController();
  const building = rig.build(
    { Dockerfile: 'FROM scratch AS a\nRUN wait forever\nFROM scratch\nRUN wait ever\nCOPY --from=a / /\n' },
    { signal: controller.signal },
  );
  await Promise.all([rig.ground.reached('forever'), rig.ground.reached('ever')]);
  controller.abort(new Error('ctrl-c'));
  const built = await building;
  assert.equal(kindOf(built.error), 'cancelled');
  assert.equal(rig.ground.running.size, 0);
  const ended = built.events.filter((event) => event.kind === 'completed' && event.cancelled);
  assert.equal(ended.length, 2);
  assert.deepEqual(left(rig), []);
  assert.deepEqual(await rig.ground.snapshotter.list(), []);
  const store = await rig.engine.store.prune({ all: true });
  assert.equal(store.results, 0);
});

test('leaving the stream of events ends the build', async () => {
  await using rig = await EngineRig.open();
  const request = {
    frontend: 'dockerfile',
    options: {},
    platforms: [],
    exports: [],
    allow: [],
    annotations: [],
  };
  for await (const event of rig.engine.build(
    request,
    rig.host({ Dockerfile: 'FROM scratch\nRUN echo x && wait never\n' }),
  ))
    if (event.kind === 'log') break;
  assert.equal(rig.ground.running.size, 0);
});

test('logs are held up for one who takes them slowly', async () => {
  await using rig = await EngineRig.open();
  const Dockerfile = `FROM scratch\nRUN ${Array.from({ length: 64 }, () => 'fill 65536').join(' && ')}\n`;
  const request = { frontend: 'dockerfile', options: {}, platforms: [], exports: [], allow: [], annotations: [] };
  let most = 0;
  let taken = 0;
  for await (const event of rig.engine.build(request, rig.host({ Dockerfile }))) {
    if (event.kind !== 'log') continue;
    taken += 1;
    await new Promise((resolve) => setImmediate(resolve));
    most = Math.max(most, rig.ground.commands.length - taken);
  }
  assert.equal(taken, 64);
  assert.ok(most <= 20, `${most} lines were waiting`);
});

test('an image built here is a base: its layers are kept, its history precedes, ONBUILD runs', async () => {
  await using rig = await EngineRig.open();
  done(
    await rig.build(
      { Dockerfile: 'FROM scratch\nCOPY a /a\nENV X=1\nONBUILD RUN write /on build\n', a: 'a' },
      { names: ['base:1'] },
    ),
  );
  const base = await rig.engine.images.inspect('base:1');
  const built = await rig.build({ Dockerfile: 'FROM base:1\nRUN cat /a && cat /on\n' }, { names: ['top'] });
  done(built);
  assert.match(built.log, /a\n/);
  const top = await rig.engine.images.inspect('top');
  assert.deepEqual(top.config.rootfs.diff_ids.slice(0, 1), base.config.rootfs.diff_ids);
  assert.equal(top.layers.length, 3);
  assert.deepEqual(top.config.history?.slice(0, 2), base.config.history?.slice(0, 2));
  assert.ok(top.config.config?.Env?.includes('X=1'));
});

test('a base that is in the store for another platform only is named as that', async () => {
  await using rig = await EngineRig.open();
  const name = '127.0.0.1:1/other';
  const absent = await rig.build({ Dockerfile: `FROM ${name}\n` });
  assert.equal((absent.error as CodedError).code, 'REGISTRY_UNREACHABLE');
  const files = { Dockerfile: 'FROM scratch\nCOPY a /\n', a: 'a' };
  done(await rig.build(files, { options: { platform: 'linux/s390x' }, names: [name] }));
  const wrong = await rig.build({ Dockerfile: `FROM ${name}\n` });
  assert.equal((wrong.error as CodedError).code, 'IMAGE_NO_PLATFORM');
  assert.match((wrong.error as CodedError).message, /linux\/s390x only/);
});

test('files of the asking side can be a base', async () => {
  await using rig = await EngineRig.open();
  const o = { options: { 'context:files': 'local:files' }, folders: { files: { 'etc/motd': 'hi' } }, names: ['x'] };
  const built = await rig.build({ Dockerfile: 'FROM files\nRUN cat /etc/motd\n' }, o);
  done(built);
  assert.match(built.log, /hi/);
  const { layers, config } = await rig.engine.images.inspect('x');
  assert.deepEqual([layers.length, config.history?.filter((entry) => !entry.empty_layer).length], [2, 2]);
});

test('entitlements are asked for before anything runs, also when the step is cached', async () => {
  await using rig = await EngineRig.open();
  const files = { Dockerfile: 'FROM scratch\nRUN --network=host write /a 1\n' };
  const refused = await rig.build(files);
  assert.deepEqual([(refused.error as CodedError).code, refused.ran], ['STEP_NOT_ENTITLED', []]);
  assert.equal((refused.error as CodedError).place?.line, 2);
  done(await rig.build(files, { allow: ['network.host'] }));
  assert.equal(((await rig.build(files)).error as CodedError).code, 'STEP_NOT_ENTITLED');
});

test('--no-cache runs everything anew and is what later builds find', async () => {
  await using rig = await EngineRig.open();
  const files = { Dockerfile: 'FROM scratch\nRUN random /a\nRUN cat /a\n' };
  const first = await rig.build(files);
  const second = await rig.build(files, { options: { 'no-cache': '' } });
  assert.equal(second.ran.length, 2);
  assert.notEqual(done(second), done(first));
  const third = await rig.build(files);
  assert.deepEqual([done(third), third.ran], [second.id, []]);
});

test('a result that lost its bytes runs again, and nothing else', async () => {
  await using rig = await EngineRig.open();
  const files = { Dockerfile: 'FROM scratch\nRUN random /a\nRUN random /b\nRUN random /c\n' };
  done(await rig.build(files, { names: ['x'] }));
  const [, middle] = (await rig.engine.images.inspect('x')).layers;
  const hex = middle?.diffId.slice('sha256:'.length) ?? '';
  rmSync(join(rig.root, 'blobs/sha256', hex.slice(0, 2), hex));
  const again = await rig.build(files, { names: ['x'] });
  done(again);
  assert.deepEqual(again.ran, ['[2/3] RUN random /b', '[3/3] RUN random /c']);
  await rig.engine.store.prune({ danglingImages: true });
  assert.deepEqual(await Array.fromAsync(rig.engine.store.check()), []);
});

test('an image never mixes layers of two makings: what a cached step stands on is its own', async () => {
  await using rig = await EngineRig.open();
  const files = { Dockerfile: 'FROM scratch\nRUN random /a\nRUN append /a -more\nCMD ["x"]\n' };
  const first = done(await rig.build(files, { names: ['x'] }));
  // The record of the first step is gone, that of the second is not.
  const { Database } = await import('../base/index.ts');
  const { KeyStore } = await import('../solve/index.ts');
  using db = Database.open(join(rig.root, 'strake.db'));
  const keys = new KeyStore(db, rig.clock);
  const lower = keys.list().find(({ outputs }) => JSON.stringify(outputs).split('diffId').length === 2);
  assert.ok(lower && keys.forget(lower.id));
  const again = await rig.build(files, { names: ['x'] });
  assert.deepEqual([done(again), again.ran], [first, []]);
});

test('a full disk is named as that, with the step and what helps', async () => {
  await using rig = await EngineRig.open();
  const { error } = await rig.build({ Dockerfile: 'FROM scratch\nRUN full\n' });
  assert.ok(error instanceof CodedError);
  assert.deepEqual([error.code, error.kind, error.place?.line], ['STORE_FULL', 'exhausted', 2]);
  assert.match(error.remedy ?? '', /strake prune/);
});

test('what is wrong with a request is said before anything is done', async () => {
  await using rig = await EngineRig.open();
  const files = { Dockerfile: 'FROM scratch\nRUN write /a 1\n' };
  const bad = await rig.build(files, { exports: [{ type: 'registry', names: ['Not A Name'] }] });
  assert.equal((bad.error as CodedError).code, 'REFERENCE_INVALID');
  const nameless = await rig.build(files, { exports: [{ type: 'registry', names: [] }] });
  assert.equal((nameless.error as CodedError).code, 'EXPORT_INVALID');
  assert.deepEqual([bad.events, nameless.events], [[], []]);
});

test('users of RUN are those of the image', async () => {
  await using rig = await EngineRig.open();
  const built = await rig.build({
    Dockerfile: `FROM scratch
COPY etc /etc
USER app
RUN id
USER 7
RUN id
USER app:0
RUN id
`,
    'etc/passwd': 'root:x:0:0::/:\napp:x:1000:1001::/:\n',
    'etc/group': 'root:x:0:\nextra:x:50:app\n',
  });
  done(built);
  assert.deepEqual(built.log.trim().split('\n'), ['1000:1001:50', '7:0:', '1000:0:']);
  const unknown = await rig.build({ Dockerfile: 'FROM scratch\nUSER nobody\nRUN id\n' });
  assert.deepEqual(
    [(unknown.error as CodedError).code, (unknown.error as CodedError).place?.line],
    ['STEP_USER_UNKNOWN', 3],
  );
});

/** A step in the rig's language. */
function run(below: State, script: string): State {
  const op = {
    args: ['sh', '-c', script],
    env: [],
    cwd: '/',
    user: '',
    mounts: [{ type: 'bind', target: '/', input: 0, readonly: false, output: 0 }],
    network: 'default',
    security: 'sandbox',
    platform: { os: 'linux', architecture: 'amd64' },
  } as const;
  return below.exec(op, [], { name: script });
}

function planOf(image: Pick<PlannedImage, 'layers' | 'root'>): Frontend {
  const platform = { os: 'linux', architecture: 'amd64' };
  const history = image.layers.map((_, i) => ({ created_by: `layer ${i}` }));
  const config = { ...platform, config: {}, rootfs: { type: 'layers' as const, diff_ids: [] }, history };
  const result = { ...image, platform, config, baseHistory: 0, attestations: [] };
  return async () => ({ results: new Map([['linux/amd64', result]]), metadata: new Map() });
}

test('layers that do not simply lie on each other are made of what is before and after each', async () => {
  const left = run(scratch, 'write /left 1');
  const right = run(scratch, 'write /right 1');
  const two = run(run(scratch, 'write /a 1'), 'write /b 2 && rm /a');
  const dialect = 'oci' as const;
  const frontends = {
    beside: planOf({
      layers: [
        { kind: 'step', before: scratch, after: left, dialect },
        { kind: 'step', before: scratch, after: right, dialect },
      ],
      root: left,
    }),
    squashed: planOf({ layers: [{ kind: 'step', before: scratch, after: two, dialect }], root: two }),
    nothing: planOf({ layers: [{ kind: 'step', before: two, after: two, dialect }], root: two }),
    changed: planOf({ layers: [{ kind: 'step', before: two, after: left, dialect }], root: left }),
  };
  await using rig = await EngineRig.open({ frontends });
  const files: Record<string, string[]> = {};
  for (const frontend of Object.keys(frontends)) {
    const exports = [
      { type: 'store', names: [frontend] },
      { type: 'tar', sink: frontend },
    ] as const;
    done(await rig.build({}, { frontend, exports }));
    const { layers, config } = await rig.engine.images.inspect(frontend);
    assert.deepEqual(layers.length, config.history?.length);
    const seen: string[] = [];
    for (const { diffId } of layers) {
      const hex = diffId.slice('sha256:'.length);
      const tree = await tarFileTree(join(rig.root, 'blobs/sha256', hex.slice(0, 2), hex));
      seen.push(
        (await tree.entries()).map((entry) => `${entry.type === 'whiteout' ? '-' : ''}${entry.path}`).join(' '),
      );
    }
    files[frontend] = seen;
  }
  assert.deepEqual(files, { beside: ['left', 'right'], squashed: ['b'], nothing: [''], changed: ['-b left'] });
});
