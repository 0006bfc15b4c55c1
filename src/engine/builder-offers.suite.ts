import assert from 'node:assert/strict';
import { systemClock, systemRandom } from '../base/index.ts';
import { MemoryBlobStore } from '../blob/index.ts';
import { configOf, openLayout, selectImage } from '../image/index.ts';
import { MemoryManifestStore, RegistryServer } from '../registry/index.ts';
import { ARCHIVE, type Asked, type SuiteRig } from './builder-rig.suite.ts';

const ANEW = { 'no-cache': '' };

/** What a builder takes from the asking side and gives to it: secrets, agents, layouts, registries, caches. */
export function offerCases(cased: (what: string, run: (rig: SuiteRig) => Promise<void>) => void): void {
  cased('secrets: a file where a line mounts one; one that is required and not given', async (rig) => {
    const secrets = { s: rig.unique() };
    const files = { Dockerfile: `${rig.base}\nRUN --mount=type=secret,id=s cat /run/secrets/s\n` };
    const built = await rig.build(files, { secrets, options: ANEW });
    assert.equal(built.error, undefined);
    assert.match(built.log, new RegExp(secrets.s));
    const told = built.events.filter(({ kind }) => kind !== 'log');
    assert.doesNotMatch(JSON.stringify(told), new RegExp(secrets.s));
    const required = { Dockerfile: `${rig.base}\nRUN --mount=type=secret,id=s,required=true echo ${rig.unique()}\n` };
    const missing = await rig.build(required);
    assert.match(String(missing.error), /secret "?s\b.*not found/);
  });

  cased('ssh agents: asked through the socket that a line mounts; one that is required and not given', async (rig) => {
    const line = (more: string): string => `${rig.base}\nRUN --mount=type=ssh,id=a${more} ssh-add -l\n`;
    const built = await rig.build({ Dockerfile: line('') }, { agents: { a: 'key-of-the-suite' }, options: ANEW });
    assert.equal(built.error, undefined);
    assert.match(built.log, /key-of-the-suite/);
    const missing = await rig.build({ Dockerfile: line(',required=true') });
    assert.notEqual(missing.error, undefined);
    assert.equal(missing.result, undefined);
  });

  cased('a layout in a folder: one image beside another', async (rig) => {
    const layout = rig.folder({});
    const layoutOf = async (word: string): Promise<void> => {
      const built = await rig.build(
        { Dockerfile: `FROM scratch\nCOPY a.txt /\nLABEL word=${word}\n`, 'a.txt': word },
        {
          exports: [{ type: 'oci', sink: 'layout', tar: false, names: [`docker.io/library/suite:${word}`] }],
          sinks: { layout },
        },
      );
      assert.equal(built.error, undefined);
    };
    await layoutOf('one');
    await layoutOf('two');
    for (const word of ['one', 'two']) {
      const image = await selectImage(openLayout(layout), { wanted: `suite:${word}`, what: layout }).open();
      assert.equal(image.kind, 'image');
      assert.deepEqual((await configOf(image)).config?.Labels, { word });
      for (const layer of await image.layers()) assert.ok((await layer.descriptor()).size > 0);
    }
  });

  cased('a registry: what is pushed is what was built', async (rig) => {
    await using registry = await registryOnLoopback();
    const name = `${registry.host}/suite:${rig.unique()}`;
    const built = await rig.build(
      { Dockerfile: 'FROM scratch\nCOPY a.txt /\n', 'a.txt': 'a' },
      { exports: [{ type: 'registry', names: [name], insecure: true }] },
    );
    assert.equal(built.error, undefined);
    const [repository = '', tag = ''] = name.slice(registry.host.length + 1).split(':');
    const answer = await fetch(`http://${registry.host}/v2/${repository}/manifests/${tag}`, {
      headers: { accept: 'application/vnd.oci.image.manifest.v1+json' },
    });
    const { config } = (await answer.json()) as { config: { digest: string } };
    assert.equal(config.digest, built.result?.images[0]?.imageId);
    assert.equal(answer.headers.get('docker-content-digest'), built.result?.metadata['containerimage.digest']);
  });

  cased('a cache in a registry: what was forgotten is known again', async (rig) => {
    await using registry = await registryOnLoopback();
    const ref = `${registry.host}/cache:1`;
    await knownAgain(
      rig,
      { cacheTo: [{ type: 'registry', ref, insecure: true, mode: 'max' }] },
      { cacheFrom: [{ type: 'registry', ref, insecure: true }] },
    );
  });

  cased('a cache in a folder: what was forgotten is known again', async (rig) => {
    const folder = rig.folder({});
    await knownAgain(
      rig,
      {
        cacheTo: [{ type: 'local', sink: 'cache', name: 'cache', tag: 'latest', mode: 'max' }],
        sinks: { cache: folder },
      },
      () => {
        const manifest = openLayout(folder).images.find(({ refs }) => refs.includes('latest'))?.descriptor;
        assert.ok(manifest);
        return { cacheFrom: [{ type: 'local', store: 'cache', name: 'cache', manifest }], stores: { cache: folder } };
      },
    );
  });
}

/** Builds and writes a cache, forgets all, and builds again: the line is not run again with the cache, and is without it. */
async function knownAgain(rig: SuiteRig, write: Asked, read: Asked | (() => Asked)): Promise<void> {
  const word = rig.unique();
  const files = { Dockerfile: `${rig.base}\nRUN echo ${word}; echo ${word} > /said\n` };
  // What it says is said only where it runs.
  const ran = async (o: Asked): Promise<boolean> => {
    const built = await rig.build(files, { exports: [ARCHIVE], ...o });
    assert.equal(built.error, undefined);
    return built.log.includes(word);
  };
  assert.equal(await ran(write), true);
  await rig.forget();
  assert.equal(await ran(typeof read === 'function' ? read() : read), false);
  await rig.forget();
  assert.equal(await ran({}), true);
}

function registryOnLoopback(): Promise<RegistryServer> {
  return RegistryServer.listen({
    blobs: new MemoryBlobStore(),
    manifests: new MemoryManifestStore(),
    clock: systemClock,
    random: systemRandom,
  });
}
