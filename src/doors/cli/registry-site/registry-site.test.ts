import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { Script } from 'node:vm';
import { gunzipSync } from 'node:zlib';
import {
  encodeEntry,
  folderIndex,
  httpIndex,
  indexPath,
  resolveRegistered,
  searchRegistry,
  type RegistryEntry,
  type RegistryIndex,
} from '../../../frontend/buildpack/index.ts';
import { Catalog, type CatalogSource } from './catalog.ts';
import { DetailsCache, type ModuleDetails } from './details.ts';
import { SiteServer } from './site-server.ts';

const DIGEST = `sha256:${'a'.repeat(64)}`;
const TOKEN = 'a-token-of-the-test';

function entry(id: string, version: string, yanked = false): RegistryEntry {
  const [namespace = '', name = ''] = id.split('/');
  return { namespace, name, version, yanked, address: `registry.example/${id}:${version}@${DIGEST}` };
}

function details(id: string, version: string, more: Partial<ModuleDetails> = {}): ModuleDetails {
  return {
    id,
    version,
    api: '0.12',
    licenses: [],
    keywords: [],
    stacks: [],
    targets: [],
    order: [],
    ...more,
  };
}

interface Answered {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly bytes: Buffer;
  readonly text: string;
}

function ask(
  url: string,
  o: { method?: string; headers?: Readonly<Record<string, string>>; body?: string } = {},
): Promise<Answered> {
  return new Promise((resolve, reject) => {
    const sent = httpRequest(url, { method: o.method ?? 'GET', headers: o.headers ?? {}, agent: false }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        const bytes = Buffer.concat(chunks);
        resolve({ status: response.statusCode ?? 0, headers: response.headers, bytes, text: bytes.toString() });
      });
    });
    sent.on('error', reject);
    sent.end(o.body);
  });
}

interface Rig extends AsyncDisposable {
  readonly folder: string;
  readonly catalog: Catalog;
  readonly clock: { time: number };
  readonly warnings: string[];
  /** What images say, by address; what is not there cannot be read. */
  readonly images: Map<string, ModuleDetails>;
  /** Addresses that were asked for. */
  readonly reads: string[];
  readonly url: string;
  get(path: string, headers?: Readonly<Record<string, string>>): Promise<Answered>;
  post(path: string, body: unknown, token?: string): Promise<Answered>;
}

async function rig(
  o: {
    readonly entries?: readonly RegistryEntry[];
    readonly more?: readonly CatalogSource[];
    readonly writable?: boolean;
    readonly publicUrl?: string;
  } = {},
): Promise<Rig> {
  await using stack = new AsyncDisposableStack();
  const folder = mkdtempSync(join(tmpdir(), 'strake-registry-site-'));
  stack.defer(() => rmSync(folder, { recursive: true }));
  const index = folderIndex(folder, 'mine');
  for (const one of o.entries ?? []) {
    index.register({ ...one, yanked: false });
    if (one.yanked) index.yank(one, true);
  }
  const timer = { time: 1000 };
  const clock = { now: () => timer.time };
  const warnings: string[] = [];
  const warn = (message: string): void => void warnings.push(message);
  const sources = [{ name: 'mine', kind: 'folder', open: async () => folderIndex(folder, 'mine') }, ...(o.more ?? [])];
  const catalog = new Catalog(sources, { clock, warn, keep: 30_000 });
  await catalog.refresh();
  const images = new Map<string, ModuleDetails>();
  const reads: string[] = [];
  const cache = stack.use(
    new DetailsCache(
      async (address) => {
        reads.push(address);
        const found = images.get(address);
        if (!found) throw new Error(`read "${address}": connection refused`);
        return found;
      },
      { clock, warn },
    ),
  );
  const server = stack.use(
    await SiteServer.listen({
      site: { catalog, details: cache, tokens: o.writable ? async () => ['another-token-of-it', TOKEN] : undefined },
      host: '127.0.0.1',
      port: 0,
      publicUrl: o.publicUrl,
      failed: (error) => warn(String(error)),
    }),
  );
  const scope = stack.move();
  return {
    folder,
    catalog,
    clock: timer,
    warnings,
    images,
    reads,
    url: server.url,
    get: (path, headers) => ask(`${server.url}${path}`, { headers: headers ?? {} }),
    post: (path, body, token) =>
      ask(`${server.url}${path}`, {
        method: 'POST',
        headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
        body: typeof body === 'string' ? body : JSON.stringify(body),
      }),
    [Symbol.asyncDispose]: () => scope[Symbol.asyncDispose](),
  };
}

const JAVA = ['1.9.0', '1.10.0', '2.0.0'].map((version) => entry('acme/java', version, version === '2.0.0'));
const GO = entry('acme/go', '1.0.0');

test('the index is served as builds read it: resolved, listed and searched over HTTP', async () => {
  await using r = await rig({ entries: [...JAVA, GO] });
  const index = httpIndex(r.url, { name: 'web' });
  const wanted = { namespace: 'acme', name: 'java', version: '' };
  assert.equal((await resolveRegistered(wanted, [index])).version, '1.10.0');
  assert.equal((await resolveRegistered({ ...wanted, version: '2.0.0' }, [index])).yanked, true);
  await assert.rejects(resolveRegistered({ ...wanted, name: 'gone' }, [index]), { code: 'CNB_REGISTRY_MISSING' });
  const file = await r.get(indexPath('acme', 'java'));
  assert.equal(file.text, readFileSync(join(r.folder, 'ja/va/acme_java'), 'utf8'));
  assert.deepEqual(
    (await searchRegistry(index, '')).map(({ name, version }) => [name, version]),
    [
      ['go', '1.0.0'],
      ['java', '1.10.0'],
    ],
  );
  // Another server can stand before this one.
  const catalog = new Catalog([{ name: 'web', kind: 'http', open: async () => index }], {
    clock: { now: () => 0 },
    warn: assert.fail,
    keep: 1000,
  });
  await catalog.refresh();
  assert.deepEqual(catalog.registries, [
    { name: 'web', kind: 'http', url: undefined, buildpacks: 2, listed: true, stale: false, writable: false },
  ]);
  assert.equal(
    await catalog.file('ja/va/acme_java'),
    encodeEntry(JAVA[2] as RegistryEntry) + [JAVA[1], JAVA[0]].map((one) => encodeEntry(one as RegistryEntry)).join(''),
  );
});

test('what is no buildpack of the index is not there, wherever it lies', async () => {
  await using r = await rig({ entries: [GO] });
  writeFileSync(join(r.folder, 'README'), 'secret');
  mkdirSync(join(r.folder, '.git'));
  writeFileSync(join(r.folder, '.git/config'), 'secret');
  writeFileSync(join(r.folder, '..', 'acme_..ab'), '{}');
  try {
    for (const path of [
      'README',
      '.git/config',
      '2/acme_gone',
      '%2e%2e/ab/acme_..ab',
      '..%2fab/acme_..ab',
      '../README',
      'r/none/2/acme_go',
      '2/acme_go/',
      'x%00y',
      '%zz',
    ])
      assert.match(`${(await r.get(path)).status}`, /^40[04]$/, path);
  } finally {
    rmSync(join(r.folder, '..', 'acme_..ab'));
  }
  assert.equal((await r.get('2/acme_go')).status, 200);
  assert.equal((await r.get('r/mine/2/acme_go')).status, 200);
  assert.equal((await r.get(`x${'y'.repeat(3000)}`)).status, 414);
  assert.throws(() => indexPath('acme', '..ab'), { code: 'CNB_REGISTRY_INVALID' });
  assert.throws(() => indexPath('acme', 'ab..'), { code: 'CNB_REGISTRY_INVALID' });
});

test('answers carry an ETag, are compressed where that is understood, and are only read', async () => {
  await using r = await rig({ entries: JAVA });
  const plain = await r.get('');
  assert.equal(plain.status, 200);
  assert.equal(plain.headers['content-type'], 'text/html; charset=utf-8');
  const zipped = await r.get('', { 'accept-encoding': 'br, gzip;q=0.5' });
  assert.equal(zipped.headers['content-encoding'], 'gzip');
  assert.equal(gunzipSync(zipped.bytes).toString(), plain.text);
  assert.equal((await r.get('', { 'accept-encoding': 'gzip;q=0' })).headers['content-encoding'], undefined);
  const { etag = '' } = zipped.headers;
  const same = await r.get('', { 'accept-encoding': 'gzip', 'if-none-match': `"x", W/${etag}` });
  assert.deepEqual([same.status, same.bytes.length, same.headers.etag], [304, 0, etag]);
  const head = await ask(r.url, { method: 'HEAD' });
  assert.deepEqual([head.status, head.bytes.length, head.headers['content-length']], [200, 0, `${plain.bytes.length}`]);
  for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS'])
    assert.equal((await ask(r.url, { method })).status, 405, method);
  assert.equal((await r.post('api/v1/buildpacks', {}, TOKEN)).status, 405);
  folderIndex(r.folder, 'mine').yank(entry('acme/java', '1.10.0'), true);
  await r.catalog.refresh();
  assert.equal((await r.get('', { 'if-none-match': plain.headers.etag ?? '' })).status, 200);
});

test('pages refer to nothing outside, run no script but their own, and escape what is in the data', async () => {
  await using r = await rig({ entries: [...JAVA, GO] });
  r.images.set(
    JAVA[1]?.address ?? '',
    details('acme/java', '1.10.0', {
      title: 'Java </title><script>alert(1)</script>',
      description: 'Builds "<b>Java</b>"',
      homepage: 'javascript:alert(1)',
      licenses: [{ type: 'MIT', uri: 'https://licenses.example/"onmouseover="x' }, { type: '<i>' }],
      keywords: ['<u>'],
      stacks: ['*'],
      targets: ['linux/amd64 (ubuntu@24.04)'],
    }),
  );
  const page = await r.get('buildpacks/acme/java');
  assert.equal(page.status, 200);
  const search = await r.get('?q=%22%3E%3Cscript%3Ealert(1)%3C/script%3E');
  for (const { text, headers } of [page, search]) {
    assert.doesNotMatch(text, /<(?:b|i|u)>|alert\(1\)<\/script>|onmouseover="|href="javascript:|<img|@import|url\(/);
    assert.equal([...text.matchAll(/<script/g)].length, 1);
    assert.equal([...text.matchAll(/<style/g)].length, 1);
    assert.doesNotMatch(text, /\sstyle="|\son\w+="/);
    assert.match(
      String(headers['content-security-policy']),
      /^default-src 'none'; style-src 'sha256-[^']+'; script-src 'sha256-[^']+'/,
    );
  }
  assert.match(page.text, /<dt>Homepage<\/dt><dd>javascript:alert\(1\)<\/dd>/);
  assert.match(page.text, /<li>linux\/amd64 \(ubuntu@24\.04\)<\/li>/);
  assert.match(page.text, /strake build --buildpack urn:cnb:registry:acme\/java@1\.10\.0</);
  // pack reads no index over HTTP: it is given the image.
  assert.match(
    page.text,
    /pack build my-app --buildpack docker:\/\/registry\.example\/acme\/java:1\.10\.0@sha256:a{64}</,
  );
  // The host of the page is only what can be one.
  const lured = await r.get('', { host: 'x"><script>.example' });
  assert.ok(!lured.text.includes('<script>.example'));
});

test('without a script the form finds by name and by what images say; the script names nothing of its module', async () => {
  await using r = await rig({ entries: [...JAVA, GO, entry('other/tool', '1.0.0', true)] });
  r.images.set(GO.address, details('acme/go', '1.0.0', { description: 'Compiles Gopher programs' }));
  const shown = async (query: string): Promise<readonly string[]> => {
    const { text } = await r.get(query);
    return [
      ...text.matchAll(
        /<li class="result" data-registries="mine">\s*<div class="head"><a href="\/buildpacks\/([^"]+)"/g,
      ),
    ].map(([, id = '']) => id);
  };
  assert.deepEqual(await shown(''), ['acme/go', 'acme/java', 'other/tool']);
  assert.deepEqual(await shown('?q=JAV'), ['acme/java']);
  assert.deepEqual(await shown('?q=acme/java'), ['acme/java']);
  // It was read when the list was first shown.
  assert.deepEqual(await shown('?q=gopher+acme'), ['acme/go']);
  assert.deepEqual(await shown('?q=nothing'), []);
  const { text } = await r.get('?q=jav');
  assert.match(text, /<p id="found" class="found" role="status" data-total="3">1 of 3<\/p>/);
  assert.match(text, /<label class="text"><span>Search by name or description<\/span>/);
  assert.match(
    text,
    /<a href="\/buildpacks\/other\/tool">other\/tool<\/a>\s*<span class="badge yanked">yanked<\/span>/,
  );
  const [, script = ''] = /<script>(.*?)<\/script>/s.exec(text) ?? [];
  const listeners = new Map<string, () => void>();
  const field = {
    value: 'go',
    addEventListener: (type: string, listener: () => void) => listeners.set(type, listener),
  };
  const rows = ['acme/go 1.0.0', 'acme/java 2.0.0'].map((textContent) => ({ textContent, hidden: false, dataset: {} }));
  const found = { textContent: '', dataset: { total: '2' } };
  new Script(script).runInNewContext({
    document: {
      getElementById: (id: string) => ({ q: field, found })[id] ?? null,
      querySelectorAll: (selector: string) => (selector === '.result' ? rows : []),
      addEventListener: () => undefined,
    },
    navigator: {},
  });
  listeners.get('input')?.();
  assert.deepEqual([rows.map(({ hidden }) => hidden), found.textContent], [[false, true], '1 of 2']);
});

test('the page of a buildpack: its versions, the yanked ones, its order', async () => {
  await using r = await rig({ entries: [...JAVA, GO] });
  const leaf = { kind: 'buildpack' as const, optional: false, execEnv: [], cyclic: false, groups: [] };
  const order = [
    [
      { ...leaf, id: 'acme/go', version: '1.0.0', optional: true },
      { ...leaf, id: 'else/where', version: '3.0.0' },
    ],
  ];
  r.images.set(JAVA[1]?.address ?? '', details('acme/java', '1.10.0', { order }));
  const { text } = await r.get('buildpacks/acme/java');
  assert.match(text, /<h1>acme\/java <span class="version">1\.10\.0<\/span>/);
  assert.match(
    text,
    /<a href="\/buildpacks\/acme\/go\/1\.0\.0">acme\/go@1\.0\.0<\/a>\s*<span class="badge plain">optional<\/span>/,
  );
  assert.match(text, /<li>else\/where@3\.0\.0/);
  assert.deepEqual(
    [...text.matchAll(/<tr([^>]*)><td><a href="([^"]+)">/g)].map(([, more, href]) => [more, href]),
    [
      [' class="yanked"', '/buildpacks/acme/java/2.0.0'],
      [' aria-current="true"', '/buildpacks/acme/java/1.10.0'],
      ['', '/buildpacks/acme/java/1.9.0'],
    ],
  );
  const yanked = await r.get('buildpacks/acme/java/2.0.0');
  assert.match(yanked.text, /This version was taken back/);
  assert.match(yanked.text, /What its image says could not be read/);
  const old = await r.get('buildpacks/acme/java/1.9.0');
  assert.match(old.text, /There is a newer version: <a href="\/buildpacks\/acme\/java">1\.10\.0<\/a>/);
  for (const path of ['buildpacks/acme/none', 'buildpacks/acme/java/9.9.9', 'buildpacks/%3Cb%3E/x']) {
    const none = await r.get(path);
    assert.equal(none.status, 404, path);
    assert.match(none.text, /There is no such buildpack/);
    assert.doesNotMatch(none.text, /<b>/);
  }
});

test('the API: lists in parts, one buildpack, one version, the search of registry.buildpacks.io', async () => {
  await using r = await rig({ entries: [...JAVA, GO], publicUrl: 'https://registry.example/bp' });
  r.images.set(
    GO.address,
    details('acme/go', '1.0.0', { licenses: [{ type: 'MIT' }], stacks: ['*'], homepage: 'https://go.example' }),
  );
  const json = async (path: string): Promise<Record<string, unknown>> =>
    JSON.parse((await r.get(path)).text) as Record<string, unknown>;
  const list = await json('api/v1/buildpacks?limit=1&offset=1');
  assert.equal(list['total'], 2);
  assert.deepEqual(
    (list['buildpacks'] as { id: string; versions: object[] }[]).map(({ id, versions }) => [id, versions.length]),
    [['acme/java', 3]],
  );
  assert.deepEqual(await json('api/v1/buildpacks/acme/go/1.0.0'), {
    id: 'acme/go',
    namespace: 'acme',
    name: 'go',
    version: '1.0.0',
    yanked: false,
    address: GO.address,
    registry: 'mine',
    details: 'known',
    homepage: 'https://go.example',
    licenses: ['MIT'],
    keywords: [],
    api: '0.12',
    stacks: ['*'],
    targets: [],
    order: [],
  });
  const { latest, versions } = (await json('api/v1/buildpacks/acme/java')) as {
    latest: { version: string; details: string };
    versions: object[];
  };
  assert.deepEqual([latest.version, latest.details], ['1.10.0', 'failed']);
  assert.deepEqual(versions[0], {
    version: '2.0.0',
    yanked: true,
    address: JAVA[2]?.address,
    _link: 'https://registry.example/bp/api/v1/buildpacks/acme/java/2.0.0',
  });
  const found = JSON.parse((await r.get('api/v1/search?matches=go')).text) as { latest: { id: string } }[];
  assert.deepEqual(
    found.map(({ latest: { id } }) => id),
    ['acme/go'],
  );
  for (const [path, status] of [
    ['api/v1/search', 400],
    ['api/v1/buildpacks?limit=x', 400],
    ['api/v1/buildpacks/acme/none', 404],
    ['api/v1/none', 404],
    ['api/v1/buildpacks/a/b/c/d', 404],
  ] as const)
    assert.equal((await r.get(path)).status, status, path);
  assert.match(
    (await r.get('')).text,
    /strake config registries add mine https:\/\/registry\.example\/bp\/ --type http/,
  );
});

test('images are asked once, and again only after a while where they could not be read', async () => {
  await using r = await rig({ entries: [GO] });
  await r.get('buildpacks/acme/go');
  await r.get('buildpacks/acme/go');
  assert.deepEqual(r.reads, [GO.address]);
  assert.deepEqual(r.warnings, [`what an image says of itself is not shown: read "${GO.address}": connection refused`]);
  r.images.set(GO.address, details('acme/go', '1.0.0'));
  r.clock.time += 61_000;
  await Promise.all([r.get('buildpacks/acme/go'), r.get('buildpacks/acme/go')]);
  await r.get('buildpacks/acme/go');
  assert.deepEqual(r.reads, [GO.address, GO.address]);
});

test('of several registries the first counts; each is there by itself; one that is gone is served as it was', async () => {
  let broken = false;
  const other: RegistryIndex = {
    name: 'other',
    lines: async (_, name) =>
      name === 'go'
        ? encodeEntry({ ...GO, address: `other.example/go@${DIGEST}` }) + encodeEntry(entry('acme/go', '2.0.0'))
        : undefined,
    list: async () => [{ namespace: 'acme', name: 'go' }],
  };
  const source: CatalogSource = {
    name: 'other',
    kind: 'git',
    url: 'https://git.example/index',
    open: async () => {
      if (broken) throw new Error('it does not answer');
      return other;
    },
  };
  await using r = await rig({ entries: [GO, ...JAVA], more: [source] });
  assert.equal((await r.get('2/acme_go')).text, encodeEntry(GO) + encodeEntry(entry('acme/go', '2.0.0')));
  assert.match((await r.get('r/other/2/acme_go')).text, /other\.example/);
  const listed = httpIndex(`${r.url}r/other/`, { name: 'x' });
  assert.deepEqual(
    (await searchRegistry(listed, '')).map(({ name, version }) => [name, version]),
    [['go', '2.0.0']],
  );
  const page = await r.get('buildpacks/acme/go');
  assert.match(page.text, /<td>other<\/td>/);
  assert.match(page.text, /pack build my-app --buildpack urn:cnb:registry:acme\/go@2\.0\.0</);
  const home = await r.get('?registry=other');
  assert.match(home.text, /<option value="other" selected>/);
  assert.match(home.text, /pack config registries add other https:\/\/git\.example\/index --type git/);
  broken = true;
  await r.catalog.refresh();
  await r.catalog.refresh();
  assert.deepEqual(
    r.warnings.filter((one) => one.startsWith('registry')),
    ['registry "other" is served as it was: it does not answer'],
  );
  const stale = await r.get('');
  assert.match(stale.text, /other cannot be brought up to date now/);
  assert.doesNotMatch(stale.text, /it does not answer/);
  assert.match((await r.get('2/acme_go')).text, /"2\.0\.0"/);
});

test('an index that cannot be listed is asked for one buildpack at a time', async () => {
  const asked: string[] = [];
  let broken = false;
  const plain: RegistryIndex = {
    name: 'plain',
    lines: async (_, name) => {
      asked.push(name);
      if (broken) throw Object.assign(new Error('http://user:secret@inside.example'), { code: 'X' });
      return name === 'rust' ? encodeEntry(entry('else/rust', '1.0.0')) : undefined;
    },
    list: async () => undefined,
  };
  await using r = await rig({ entries: [GO], more: [{ name: 'plain', kind: 'http', open: async () => plain }] });
  assert.equal((await r.get('ru/st/else_rust')).text, encodeEntry(entry('else/rust', '1.0.0')));
  assert.equal((await r.get('buildpacks/else/rust')).status, 200);
  assert.deepEqual(asked, ['rust']);
  assert.match((await r.get('?q=else/rust')).text, /<a href="\/buildpacks\/else\/rust">Look for else\/rust<\/a>/);
  broken = true;
  r.clock.time += 31_000;
  const failed = await r.get('buildpacks/else/rust');
  assert.equal(failed.status, 500);
  assert.doesNotMatch(failed.text, /secret/);
});

test('what is being answered when it ends is answered to its end', async () => {
  const begun = Promise.withResolvers<void>();
  const slow = Promise.withResolvers<string>();
  const index: RegistryIndex = {
    name: 'slow',
    lines: async () => {
      begun.resolve();
      return slow.promise;
    },
  };
  const clock = { now: () => 0 };
  const catalog = new Catalog([{ name: 'slow', kind: 'http', open: async () => index }], {
    clock,
    warn: assert.fail,
    keep: 1000,
  });
  await catalog.refresh();
  await using cache = new DetailsCache(undefined, { clock, warn: assert.fail });
  const server = await SiteServer.listen({
    site: { catalog, details: cache },
    host: '127.0.0.1',
    port: 0,
    failed: (error) => assert.fail(String(error)),
  });
  const { url } = server;
  const answer = ask(`${url}2/acme_go`);
  await begun.promise;
  const ended = server[Symbol.asyncDispose]();
  slow.resolve(encodeEntry(GO));
  assert.equal((await answer).text, encodeEntry(GO));
  await ended;
  await assert.rejects(ask(url), /ECONNREFUSED/);
});

test('a spoiled entry is warned of and does not hide the others', async () => {
  await using r = await rig({ entries: [GO] });
  mkdirSync(join(r.folder, 'ja/va'), { recursive: true });
  writeFileSync(join(r.folder, 'ja/va/acme_java'), 'not json\n');
  await r.catalog.refresh();
  await r.catalog.refresh();
  assert.deepEqual(
    r.catalog.all.map(({ id }) => id),
    ['acme/go'],
  );
  assert.deepEqual(r.warnings, ['read registry entry "mine:ja/va/acme_java": line 1 is none']);
  assert.equal((await r.get('ja/va/acme_java')).text, 'not json\n');
});

test('who has a token registers what an image really is, and yanks; nobody else does', async () => {
  await using r = await rig({ entries: [GO], writable: true });
  const wanted = { namespace: 'acme', name: 'java', version: '1.9.0', address: JAVA[0]?.address };
  for (const token of [undefined, 'wrong', `${TOKEN}x`]) {
    const refused = await r.post('api/v1/buildpacks', wanted, token);
    assert.deepEqual([refused.status, refused.headers['www-authenticate']], [401, 'Bearer realm="buildpack registry"']);
  }
  // It cannot be read, then it is another one.
  assert.match((await r.post('api/v1/buildpacks', wanted, TOKEN)).text, /cannot be read/);
  r.images.set(wanted.address ?? '', details('acme/other', '1.9.0'));
  assert.match((await r.post('api/v1/buildpacks', wanted, TOKEN)).text, /is \\"acme\/other@1\.9\.0\\"/);
  await using s = await rig({ entries: [GO], writable: true });
  s.images.set(wanted.address ?? '', details('acme/java', '1.9.0'));
  assert.equal((await s.post('api/v1/buildpacks', wanted, TOKEN)).status, 201);
  assert.equal((await s.get('ja/va/acme_java')).text, encodeEntry(JAVA[0] as RegistryEntry));
  const again = await s.post('api/v1/buildpacks', wanted, TOKEN);
  assert.deepEqual([again.status, /has this version already/.test(again.text)], [409, true]);
  const change = (yanked: unknown, path = 'api/v1/buildpacks/acme/java/1.9.0'): Promise<Answered> =>
    s.post(path, { yanked }, TOKEN);
  assert.equal((await change(true)).status, 200);
  assert.match((await s.get('ja/va/acme_java')).text, /"yanked":true/);
  assert.equal((await change(false)).status, 200);
  assert.match((await s.get('ja/va/acme_java')).text, /"yanked":false/);
  assert.equal((await change(true, 'r/mine/api/v1/buildpacks/acme/java/1.9.0')).status, 200);
  assert.equal((await change(true, 'r/other/api/v1/buildpacks/acme/java/1.9.0')).status, 404);
  assert.equal((await change('x')).status, 422);
  assert.equal((await change(true, 'api/v1/buildpacks/acme/java/9.9.9')).status, 404);
  for (const [body, status] of [
    ['[]', 400],
    ['{', 400],
    [{ ...wanted, namespace: '../x' }, 422],
    [{ ...wanted, name: '..ab' }, 422],
    [{ ...wanted, version: 'a/b' }, 422],
    [{ ...wanted, address: 'registry.example/java:1' }, 422],
    [{ ...wanted, address: '' }, 422],
    [{ ...wanted, registry: 'none' }, 404],
    ['x'.repeat(70_000), 413],
  ] as const)
    assert.equal((await s.post('api/v1/buildpacks', body, TOKEN)).status, status, JSON.stringify(body).slice(0, 80));
  // Nothing half-written is left.
  assert.deepEqual(readdirSync(s.folder).toSorted(), ['2', 'ja']);
});
