import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { parseDigest, type Digest } from '../../../blob/index.ts';
import { encodeConfig, layerFromBytes, makeImage, manifestOf, MEDIA, type ImageConfig } from '../../../image/index.ts';
import { LABELS } from '../model/index.ts';
import type { LayerPlan } from '../model/types.ts';
import { appConfig } from './app-config.ts';
import { rebaseConfig, rebaseImage } from './rebase.ts';
import { digestReference, nearestFirst, runImageNames, sameName } from './run-image.ts';

const digest = (n: number): Digest => parseDigest(`sha256:${String(n).padStart(64, '0')}`);
const EMPTY = parseDigest('sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef');

interface BaseOptions {
  readonly name?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly diffIds: readonly Digest[];
  readonly platform?: Partial<ImageConfig>;
  readonly history?: ImageConfig['history'];
}

function baseOf({ name = 'reg.example/run:1', labels = {}, diffIds, platform, history }: BaseOptions) {
  const config: ImageConfig = {
    architecture: 'amd64',
    os: 'linux',
    ...platform,
    config: { Env: ['PATH=/bin'], User: '7', Labels: labels },
    rootfs: { type: 'layers', diff_ids: diffIds },
    history: history ?? diffIds.map((_, at) => ({ created_by: `${name} ${at}`, created: '2020-01-01T00:00:00Z' })),
  };
  return { name, reference: digestReference(name, diffIds.at(-1)!), config };
}

const PLANS: LayerPlan[] = ['a/one:deps', 'sbom', 'app:0', 'launcher', 'config', 'process-types'].map((key) => ({
  key,
  createdBy: `made ${key}`,
  content: [],
  dialect: 'lifecycle',
}));
const DIGESTS = new Map(PLANS.map(({ key }, at) => [key, digest(100 + at)]));

/** What a build on `base` gives. */
function build(
  base: ReturnType<typeof baseOf>,
  o: { platformApi?: string; labels?: Record<string, string>; digests?: typeof DIGESTS } = {},
): ImageConfig {
  const config = appConfig(
    {
      platformApi: o.platformApi ?? '0.15',
      appDir: '/workspace',
      layersDir: '/layers',
      uid: 7,
      gid: 7,
      buildpacks: [
        {
          element: { kind: 'buildpack', id: 'a/one', version: '1.2.3', api: '0.12' },
          layers: [
            {
              name: 'deps',
              hasFolder: true,
              toml: { launch: true, build: false, cache: false, metadata: { a: '<&>' }, execEnv: [] },
            },
          ],
          launch: { labels: [], processes: [], slices: [] },
          unmet: [],
        },
      ],
      metadata: {
        buildpacks: [],
        extensions: [],
        processes: [],
        slices: [],
        labels: Object.entries(o.labels ?? {}).map(([key, value]) => ({ key, value })),
      },
      plans: PLANS,
      runImage: {
        config: base.config,
        diffIds: base.config.rootfs.diff_ids,
        reference: base.reference,
        image: 'reg.example/run:1',
        mirrors: ['mirror.example/run:1'],
      },
      launcher: { version: '1', repository: 'r', commit: 'c' },
    },
    o.digests ?? DIGESTS,
  );
  return config;
}

const app = (config: ImageConfig) => ({ name: 'app', config });
const OLD = baseOf({
  diffIds: [digest(1), digest(2)],
  labels: { 'io.buildpacks.base.id': 'x', 'io.buildpacks.base.gone': 'old', own: 'app' },
});
const NEW = baseOf({
  diffIds: [digest(3), digest(4), digest(5)],
  labels: { 'io.buildpacks.base.id': 'x', 'io.buildpacks.stack.more': 'new', own: 'app' },
});

suite('a rebase', () => {
  test('gives what a build on the new base gives, byte for byte', () => {
    const { config, replaced, warnings } = rebaseConfig(app(build(OLD)), NEW);
    assert.equal(Buffer.from(encodeConfig(config)).toString(), Buffer.from(encodeConfig(build(NEW))).toString());
    assert.equal(replaced, 2);
    assert.deepEqual(warnings, []);
  });

  test('there and back gives the same image', () => {
    const there = rebaseConfig(app(build(OLD)), NEW).config;
    assert.deepEqual(encodeConfig(rebaseConfig(app(there), OLD).config), encodeConfig(build(OLD)));
  });

  test('takes over the labels of the base and no others', () => {
    const labels = rebaseConfig(app(build(OLD, { labels: { mine: '1' } })), {
      ...NEW,
      config: { ...NEW.config, config: { Labels: { ...NEW.config.config?.Labels, own: 'base' } } },
    }).config.config?.Labels;
    assert.equal(labels?.['io.buildpacks.base.gone'], undefined);
    assert.equal(labels?.['io.buildpacks.stack.more'], 'new');
    assert.equal(labels?.['own'], 'app');
    assert.equal(labels?.['mine'], '1');
  });

  test('leaves the environment, user and entry point of the app', () => {
    const other = { ...NEW, config: { ...NEW.config, config: { Env: ['PATH=/other'], User: '9', Labels: {} } } };
    const { Labels: _now, ...after } = rebaseConfig(app(build(OLD)), other).config.config!;
    const { Labels: _before, ...before } = build(OLD).config!;
    assert.deepEqual(after, before);
  });

  test('finds its base where the top layer is there more than once', () => {
    const doubled = baseOf({ diffIds: [EMPTY, digest(2), EMPTY] });
    const digests = new Map([...DIGESTS, ['app:0', EMPTY]]);
    const { config, replaced } = rebaseConfig(app(build(doubled, { digests })), NEW);
    assert.equal(replaced, 3);
    assert.deepEqual(config.rootfs.diff_ids, [...NEW.config.rootfs.diff_ids, ...digests.values()]);
  });

  test('keeps layers of extensions, and what an older label says', () => {
    const built = build(OLD);
    const labels = { ...built.config?.Labels };
    const parsed = JSON.parse(labels[LABELS.lifecycleMetadata] ?? '') as Record<string, unknown>;
    labels[LABELS.lifecycleMetadata] = JSON.stringify({
      ...parsed,
      app: { sha: digest(102) },
      more: [{ z: 1, a: '<' }],
    });
    const extended: ImageConfig = {
      ...built,
      config: { ...built.config, Labels: labels },
      rootfs: { type: 'layers', diff_ids: [digest(1), digest(2), digest(50), ...DIGESTS.values()] },
    };
    const { config } = rebaseConfig(app(extended), NEW);
    assert.deepEqual(config.rootfs.diff_ids, [...NEW.config.rootfs.diff_ids, digest(50), ...DIGESTS.values()]);
    const label = config.config?.Labels?.[LABELS.lifecycleMetadata] ?? '';
    assert.match(label, /^\{"app":\{"sha":"[^"]+"\},"sbom":/);
    assert.match(label, /"more":\[\{"z":1,"a":"\\u003c"\}\]\}$/);
    assert.match(
      label,
      new RegExp(
        `"runImage":\\{"topLayer":"${digest(5)}","reference":"reg.example/run@${digest(5)}","image":"reg.example/run:1","mirrors":`,
      ),
    );
  });

  test('is blank in its history where the app was', () => {
    const stack = { [LABELS.stackId]: 's' };
    const old = baseOf({ diffIds: [digest(1)], labels: stack });
    const now = baseOf({ diffIds: [digest(3), digest(4)], labels: stack });
    const { config } = rebaseConfig(app(build(old, { platformApi: '0.11' })), now);
    assert.deepEqual(encodeConfig(config), encodeConfig(build(now, { platformApi: '0.11' })));
    assert.deepEqual(new Set(config.history?.map((entry) => JSON.stringify(entry))).size, 1);
  });

  test('of images reads no layer, and takes the media types of the new base', async () => {
    const layer = (text: string) => {
      const one = layerFromBytes(Buffer.from(text), { mediaType: MEDIA.ociLayer });
      const fail = (): never => {
        throw new Error(`layer "${text}" was read`);
      };
      return {
        ...one,
        diffId: async () => parseDigest(`sha256:${Buffer.from(text).toString('hex').padStart(64, '0')}`),
        compressed: fail,
        uncompressed: fail,
      };
    };
    const diffIds = async (names: readonly string[]) => Promise.all(names.map((name) => layer(name).diffId()));
    const base = async (names: readonly string[]) => baseOf({ diffIds: await diffIds(names) });
    const above = [...DIGESTS.keys()];
    const digests = new Map(
      await Promise.all(above.map(async (key) => [key, await layer(key.slice(0, 30)).diffId()] as const)),
    );
    const image = (config: ImageConfig, names: readonly string[], mediaTypes: 'oci' | 'docker') =>
      makeImage({ config, layers: names.map((name) => layer(name.slice(0, 30))), mediaTypes });
    const [old, now] = [await base(['o1', 'o2']), await base(['n1'])];
    const rebased = await rebaseImage(
      { name: 'app', image: image(build(old, { digests }), ['o1', 'o2', ...above], 'oci') },
      { ...now, image: image(now.config, ['n1'], 'docker') },
    );
    const fresh = image(build(now, { digests }), ['n1', ...above], 'docker');
    assert.deepEqual(await rebased.image.manifest(), await fresh.manifest());
    assert.equal((await manifestOf(rebased.image)).mediaType, MEDIA.dockerManifest);
  });
});

suite('a rebase is refused', () => {
  const refused = (config: ImageConfig, base: typeof NEW, message: RegExp): void => {
    assert.throws(() => rebaseConfig(app(config), base), { code: 'CNB_REBASE_FAILED', message });
  };
  const forced = (config: ImageConfig, base: typeof NEW) => rebaseConfig(app(config), base, { force: true });

  test('of an image that no buildpacks built, or that was changed', () => {
    refused(NEW.config, OLD, /could not find label "io\.buildpacks\.lifecycle\.metadata" on it$/);
    const labels = { [LABELS.lifecycleMetadata]: 'no json' };
    refused({ ...NEW.config, config: { Labels: labels } }, OLD, /that can be read$/);
    refused({ ...build(OLD), rootfs: NEW.config.rootfs }, NEW, /could not find base layer "sha256:0+2" in it/);
  });

  test('where the app says so, unless forced', () => {
    const config = build(OLD, { labels: { [LABELS.rebasable]: 'false' } });
    refused(config, NEW, /app image is not marked as rebasable; please provide -force to override/);
    assert.deepEqual(forced(config, NEW).warnings, ['app image is not marked as rebasable']);
    assert.deepEqual(rebaseConfig(app(build(OLD, { labels: { [LABELS.rebasable]: 'true' } })), NEW).warnings, []);
  });

  test('for another platform, unless forced', () => {
    const arm = baseOf({ diffIds: [digest(3)], platform: { architecture: 'arm64', variant: 'v8' } });
    refused(
      build(OLD),
      arm,
      /unable to satisfy target os\/arch constraints; new run image: linux\/arm64\/v8, old run image: linux\/amd64/,
    );
    const { config, warnings } = forced(build(OLD), arm);
    assert.equal(warnings.length, 1);
    assert.deepEqual([config.os, config.architecture, config.variant], ['linux', 'arm64', 'v8']);
  });

  test('for another variant, where both say one', () => {
    const variant = (text?: string) =>
      baseOf({ diffIds: [digest(1)], platform: { architecture: 'arm64', ...(text ? { variant: text } : {}) } });
    refused(build(variant('v7')), variant('v8'), /unable to satisfy target/);
    assert.equal(rebaseConfig(app(build(variant())), variant('v8')).config.variant, 'v8');
    assert.equal(rebaseConfig(app(build(variant('v8'))), variant()).config.variant, undefined);
  });

  test('for another distribution, where the new base says one', () => {
    const distro = (name?: string, version?: string) =>
      baseOf({
        diffIds: [digest(1)],
        labels: {
          ...(name === undefined ? {} : { [LABELS.distroName]: name }),
          ...(version === undefined ? {} : { [LABELS.distroVersion]: version }),
        },
      });
    const ubuntu = build(distro('ubuntu', '24.04'));
    refused(ubuntu, distro('debian', '24.04'), /new run image: linux\/amd64 \(debian@24\.04\)/);
    refused(ubuntu, distro('ubuntu', '22.04'), /unable to satisfy target/);
    refused(build(distro()), distro('ubuntu'), /unable to satisfy target/);
    for (const fits of [distro(), distro('ubuntu'), distro('', '24.04'), distro('ubuntu', '24.04')])
      assert.deepEqual(rebaseConfig(app(ubuntu), fits).warnings, []);
  });

  test('for a run image that the label does not know, unless forced: then it knows this one only', () => {
    const other = { ...NEW, name: 'other.example/run:2', reference: 'other.example/run@sha256:5' };
    refused(
      build(OLD),
      other,
      /new base image "other\.example\/run:2" not found in existing run image metadata: "reg\.example\/run:1", "mirror\.example\/run:1"; please provide -force/,
    );
    const label = forced(build(OLD), other).config.config?.Labels?.[LABELS.lifecycleMetadata] ?? '';
    assert.match(
      label,
      /"runImage":\{"topLayer":"[^"]+","reference":"other\.example\/run@sha256:5","image":"other\.example\/run:2"\},"stack":\{"runImage":\{"image":"other\.example\/run:2"\}\}\}$/,
    );
    for (const name of ['mirror.example/run:1', `reg.example/run:1@${digest(9)}`])
      assert.deepEqual(rebaseConfig(app(build(OLD)), { ...NEW, name }).warnings, []);
  });

  test('for another stack or missing mixins, where the app is of a platform before 0.12: force does not help', () => {
    const of = (labels: Record<string, string>) => baseOf({ diffIds: [digest(1)], labels });
    const old = (labels: Record<string, string>) => build(of(labels), { platformApi: '0.11' });
    const S = { [LABELS.stackId]: 's' };
    refused(old({}), of(S), /stack not defined on app image/);
    refused(old(S), of({}), /stack not defined on new base image/);
    refused(old(S), of({ [LABELS.stackId]: 't' }), /incompatible stack: "t" is not compatible with "s"/);
    assert.throws(() => forced(old(S), of({ [LABELS.stackId]: 't' })), { code: 'CNB_REBASE_FAILED' });
    const mixins = (...names: string[]) => ({ ...S, [LABELS.stackMixins]: JSON.stringify(names) });
    refused(old(mixins('b', 'run:c', 'a')), of(mixins('c')), /missing required mixin\(s\): a, b/);
    assert.deepEqual(rebaseConfig(app(old(mixins('run:c', 'a'))), of(mixins('c', 'a', 'more'))).warnings, []);
  });
});

suite('the run image of an app', () => {
  test('is known by its name and mirrors, or those of its stack; the nearest first', () => {
    const none = { topLayer: '', reference: '' };
    const metadata = { app: [], buildpacks: [], config: { sha: '' }, launcher: { sha: '' }, processTypes: { sha: '' } };
    const stack = { runImage: { image: 'a.example/s', mirrors: ['b.example/s'] } };
    assert.deepEqual(runImageNames({ ...metadata, runImage: none, stack }), ['a.example/s', 'b.example/s']);
    assert.deepEqual(runImageNames({ ...metadata, runImage: { ...none, image: 'c.example/r' }, stack }), [
      'c.example/r',
    ]);
    assert.deepEqual(runImageNames({ ...metadata, runImage: none }), []);
    assert.deepEqual(nearestFirst(['x/run', 'a.example/s', 'b.example/s'], 'b.example'), [
      'b.example/s',
      'x/run',
      'a.example/s',
    ]);
    assert.ok(sameName('debian', `docker.io/library/debian:latest@${digest(1)}`));
    assert.ok(!sameName('debian:1', 'debian:2'));
    assert.equal(digestReference('debian:1', digest(1)), `docker.io/library/debian@${digest(1)}`);
  });
});
