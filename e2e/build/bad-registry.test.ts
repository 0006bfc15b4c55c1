import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { FaultProxy, type Fault, type FaultRule } from '../../src/registry/testing/fault-proxy.ts';
import { dockerRegistry, lacking } from '../registry/world.ts';
import { craftedRegistry, rawTar, type CraftedImage } from '../lib/crafted.ts';
import { failsWith, type FailureExpected } from '../lib/failure.ts';
import { emptyStore } from '../lib/store.ts';
import { ok, strake } from '../lib/strake.ts';

const TAR = rawTar([{ name: 'file', content: Buffer.alloc(200_000, 'the content of a layer\n') }]);
const failed = 1;
const invalid = 64;
const notFound = 66;
const unavailable = 69;
const exhausted = 74;
const denied = 77;

/** A registry with one image behind a proxy that does wrong by these rules, and an empty store. */
async function world(rules: readonly FaultRule[], damage?: (blob: Buffer) => Buffer) {
  const registry = await craftedRegistry();
  const image = await registry.image('team/app', [TAR], { damage });
  const proxy = await FaultProxy.listen(registry.url, ...rules);
  const store = emptyStore();
  // A build that reads from the image, so that the layer must come.
  const write = (base: string): void =>
    writeFileSync(
      join(store.work, 'Dockerfile'),
      `# a comment\nFROM ${base} AS base\nFROM scratch\nCOPY --from=base /file /\n`,
    );
  return {
    ...store,
    image,
    proxy,
    name: `${proxy.host}/team/app`,
    write,
    [Symbol.asyncDispose]: async () => {
      store[Symbol.dispose]();
      await proxy[Symbol.asyncDispose]();
      await registry[Symbol.asyncDispose]();
    },
  };
}

const build = (store: { work: string }): string[] => ['build', '--progress=plain', store.work];
const always = (path: RegExp, fault: Fault): FaultRule => ({ path, fault, times: 1e9 });
const MANIFEST = /\/manifests\//;
const BLOB = /\/blobs\//;

/** A build from this image that fails at its FROM line. */
async function fromFails(
  rules: readonly FaultRule[],
  o: Omit<FailureExpected, 'root' | 'place'> & { base?: (image: CraftedImage, host: string) => string },
): Promise<void> {
  await using w = await world(rules);
  const base = o.base?.(w.image, w.proxy.host) ?? w.name;
  w.write(base);
  await failsWith(build(w), { ...o, root: w.root, place: { at: 'Dockerfile:2', line: `FROM ${base} AS base` } });
}

describe('bad input (must show 8): registries', () => {
  test('one that cannot be reached', async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    await new Promise((resolve) => server.close(resolve));
    await fromFails([], {
      base: () => `127.0.0.1:${port}/app`,
      code: unavailable,
      says: [`registry "127.0.0.1:${port}" cannot be reached: connection refused`],
      help: 'network',
    });
    await fromFails([], {
      base: () => 'no-such-host.invalid/app',
      code: unavailable,
      says: ['"no-such-host.invalid"'],
      help: 'name',
    });
  });

  test('one that is none', async () => {
    await fromFails(
      [
        always(/./, {
          kind: 'status',
          status: 404,
          headers: { 'content-type': 'text/html' },
          body: '<h1>Not here</h1>',
        }),
      ],
      {
        code: invalid,
        says: ['does not answer as a registry does'],
        help: 'port',
      },
    );
  });

  test(
    'one that wants a login, and one that refuses it',
    { skip: lacking('docker-registry', 'htpasswd') },
    async () => {
      using store = emptyStore();
      const data = join(store.work, 'registry');
      mkdirSync(data);
      await using secured = await dockerRegistry(data, { users: { ada: 'secret word' } });
      const line = `FROM ${secured.host}/app`;
      writeFileSync(join(store.work, 'Dockerfile'), `${line}\nRUN true\n`);
      const config = join(store.work, 'config');
      mkdirSync(config);
      const o = { root: store.root, env: { DOCKER_CONFIG: config }, place: { at: 'Dockerfile:1', line } };
      const help = `strake login ${secured.host}`;
      await failsWith(build(store), { ...o, code: denied, says: ['wants a login'], help });
      const auth = Buffer.from('ada:wrong').toString('base64');
      writeFileSync(join(config, 'config.json'), JSON.stringify({ auths: { [secured.host]: { auth } } }));
      const { message } = await failsWith(build(store), {
        ...o,
        code: denied,
        says: ['refused the login of "ada"'],
        help,
      });
      assert.doesNotMatch(message, /wrong/, 'the password is not told');
      await failsWith(['login', '--username', 'ada', '--password-stdin', secured.host], {
        root: store.root,
        env: o.env,
        input: 'wrong',
        code: denied,
        says: ['"ada"'],
        help: /./,
      });
    },
  );

  test('a repository, a tag and a digest that it does not have', async () => {
    const base = (name: string) => (_: CraftedImage, host: string) => `${host}/${name}`;
    await fromFails([], {
      base: base('team/none'),
      code: notFound,
      says: ['/team/none', 'no such repository'],
      help: 'spelling',
    });
    await fromFails([], { base: base('team/app:none'), code: notFound, says: [':none"', 'no such tag'], help: 'tag' });
    await fromFails([], {
      base: base(`team/app@sha256:${'0'.repeat(64)}`),
      code: notFound,
      says: ['no such tag or digest'],
      help: /./,
    });
  });

  test('content that is not what its digest says', async () => {
    const { image } = await world([]).then(async (w) => {
      await w[Symbol.asyncDispose]();
      return w;
    });
    await fromFails([always(MANIFEST, { kind: 'corrupt', at: 30 })], {
      base: (_, host) => `${host}/team/app@${image.manifest.digest}`,
      code: failed,
      says: ['its content has digest sha256:', `asked for was ${image.manifest.digest}`],
      help: /registry is damaged/,
    });
    await using w = await world([
      always(new RegExp(`/blobs/${image.layers[0]?.digest}`), { kind: 'corrupt', at: 100 }),
    ]);
    w.write(w.name);
    await failsWith(build(w), {
      root: w.root,
      code: failed,
      says: [`${image.layers[0]?.digest}`, 'its content has digest'],
      help: /again/,
    });
  });

  test('a layer that is cut short: once is mended, for ever is an error', async () => {
    const short: Fault = { kind: 'truncate', after: 100 };
    await using once = await world([{ path: BLOB, method: 'GET', skip: 1, fault: short }]);
    once.write(once.name);
    await ok(build(once), { root: once.root });
    await using w = await world([
      always(new RegExp(`/blobs/${once.image.layers[0]?.digest}`), { kind: 'truncate', after: 0 }),
    ]);
    w.write(w.name);
    await failsWith(build(w), {
      root: w.root,
      code: unavailable,
      says: [`${w.image.layers[0]?.digest}`, 'broke'],
      help: /again/,
    });
  });

  test('a layer whose compressed data is damaged, though its digest fits', async () => {
    await using w = await world([], (blob) => {
      blob.writeUInt8(blob.readUInt8(blob.length - 6) ^ 0xff, blob.length - 6);
      return blob;
    });
    w.write(w.name);
    await failsWith(build(w), {
      root: w.root,
      code: invalid,
      says: [`${w.image.layers[0]?.digest}`, 'gzip data is damaged'],
      help: /./,
    });
    await using other = await world([], (blob) =>
      Buffer.concat([blob.subarray(0, 0), Buffer.from('H4sIAAAAAAAAAwMAAAAAAAAAAAA=', 'base64')]),
    );
    other.write(other.name);
    await failsWith(build(other), { root: other.root, code: failed, says: ['the image says sha256:'], help: /again/ });
  });

  test('429 with Retry-After is waited for, 429 for ever is an error', async () => {
    const limit = (times: number, seconds: number): FaultRule => ({
      path: MANIFEST,
      times,
      fault: {
        kind: 'status',
        status: 429,
        headers: { 'retry-after': String(seconds) },
        body: '{"errors":[{"code":"TOOMANYREQUESTS","message":"slow down"}]}',
      },
    });
    await using w = await world([limit(2, 1)]);
    w.write(w.name);
    const { stderr } = await ok(build(w), { root: w.root });
    assert.match(stderr, /status 429; attempt 2 of/);
    await fromFails([limit(1e9, 3600)], {
      code: exhausted,
      says: ['allows no more requests', 'slow down'],
      help: '3600 s',
    });
  });

  test('500 is tried again, 500 for ever is an error', async () => {
    const fault: Fault = { kind: 'status', status: 500, body: 'oops' };
    await using w = await world([
      { path: MANIFEST, times: 2, fault },
      { path: BLOB, times: 1, fault },
    ]);
    w.write(w.name);
    const { stderr } = await ok(build(w), { root: w.root });
    assert.match(stderr, /status 500; attempt 2 of/);
    await fromFails([always(MANIFEST, fault)], { code: unavailable, says: ['failed with status 500'], help: 'later' });
  });

  test('pull, push and copy fail with the same words', async () => {
    await using w = await world([
      always(/\/blobs\/uploads\//, {
        kind: 'status',
        status: 403,
        body: '{"errors":[{"code":"DENIED","message":"read only"}]}',
      }),
    ]);
    const o = { root: w.root };
    await failsWith(['pull', `${w.name}:none`], { ...o, code: notFound, says: ['no such tag'], help: 'tag' });
    await failsWith(['push', 'nothing/here'], { ...o, code: notFound, says: ['"nothing/here'], help: /./ });
    await ok(['pull', w.name], o);
    await ok(['tag', w.name, `${w.proxy.host}/other:1`], o);
    await failsWith(['push', `${w.proxy.host}/other:1`], {
      ...o,
      code: denied,
      says: ['denies this', 'read only'],
      help: 'strake login',
    });
    const left = await strake(['images'], o);
    assert.match(left.stdout, /team\/app/, left.stderr);
  });
});
