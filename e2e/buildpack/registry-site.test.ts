import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { chmodSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { after, before, suite, test } from 'node:test';
import { noBrowser, openPage, type Page } from '../lib/browser.ts';
import { TestRepository } from '../lib/git-server.ts';
import { emptyStore, type TestStore } from '../lib/store.ts';
import { CHECKOUT, ok, strake } from '../lib/strake.ts';
import { dockerRegistry, lacking, scratchFolder } from '../registry/world.ts';
import { buildTestBuilder, write, writeBuildpack } from './test-builder.ts';

const skip = lacking('docker-registry', 'git') ?? false;

/** A server of `strake buildpack registry serve`. */
interface Served extends AsyncDisposable {
  readonly url: string;
  /** Ends it by a signal: its exit code. */
  stop(signal?: NodeJS.Signals): Promise<number | null>;
}

async function serve(args: readonly string[], o: { root: string; cwd: string; PACK_HOME: string }): Promise<Served> {
  const child = spawn(
    join(CHECKOUT, 'strake'),
    ['buildpack', 'registry', 'serve', ...args, '--listen', '127.0.0.1:0', '--refresh', '1s'],
    {
      cwd: o.cwd,
      env: { ...process.env, STRAKE_ROOT: o.root, PACK_HOME: o.PACK_HOME, NO_COLOR: '1' },
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
  const closed = new Promise<number | null>((resolve) => child.on('close', resolve));
  let said = '';
  const url = await new Promise<string>((resolve, reject) => {
    child.stdout.on('data', (chunk: Buffer) => {
      said += chunk.toString();
      const [, found] = /^(https?:\/\/\S+)\n/m.exec(said) ?? [];
      if (found !== undefined) resolve(found);
    });
    child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
    void closed.then((code) => reject(new Error(`it ended with ${code}: ${said}`)));
  });
  const stop = async (signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> => {
    child.kill(signal);
    return closed;
  };
  return { url, stop, [Symbol.asyncDispose]: async () => void (await stop()) };
}

async function text(url: string): Promise<string> {
  return (await fetch(url)).text();
}

/** Waits until a page says something: what has been changed elsewhere is seen within a second or two. */
async function says(url: string, what: string): Promise<void> {
  for (let count = 0; count < 300; count++) {
    if ((await text(url)).includes(what)) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  assert.fail(`"${what}" does not come`);
}

const BUILD = (name: string): string =>
  `mkdir -p "$CNB_LAYERS_DIR/said"\necho "${name} was here" > "$CNB_LAYERS_DIR/said/file"\nprintf '[types]\\nlaunch = true\\n' > "$CNB_LAYERS_DIR/said.toml"\nprintf '[[processes]]\\ntype = "web"\\ndefault = true\\ncommand = ["sh", "-c", "cat /layers/*/said/file"]\\n' > "$CNB_LAYERS_DIR/launch.toml"`;

const META = `api = "0.10"
[buildpack]
id = "acme/both"
version = "2.0.0"
description = "First and <second>"
homepage = "https://buildpacks.example/both"
[[buildpack.licenses]]
type = "MIT"
[[order]]
[[order.group]]
id = "acme/first"
version = "1.0.0"
[[order.group]]
id = "acme/second"
version = "1.0.0"
optional = true
`;

suite('a registry of buildpacks, served', { skip }, () => {
  const scope = new AsyncDisposableStack();
  let store: TestStore;
  let served: Served;
  let repository: TestRepository;
  let o: { root: string; cwd: string; env: { PACK_HOME: string } };

  before(async () => {
    const { path } = scope.use(scratchFolder());
    store = scope.use(emptyStore());
    const { host } = scope.use(await dockerRegistry(path));
    const PACK_HOME = join(store.work, 'pack');
    o = { root: store.root, cwd: store.work, env: { PACK_HOME } };
    for (const name of ['first', 'second'])
      writeBuildpack(join(store.work, name), { id: `acme/${name}`, build: BUILD(name) });
    write(join(store.work, 'both/buildpack.toml'), META);
    write(
      join(store.work, 'both/package.toml'),
      '[[dependencies]]\nuri = "../first"\n[[dependencies]]\nuri = "../second"\n',
    );
    await ok(['buildpack', 'package', `${host}/first`, '--publish', '-q', '--path', 'first'], o);
    await ok(['buildpack', 'package', `${host}/both`, '--publish', '-q', '-c', 'both/package.toml'], o);
    mkdirSync(join(store.work, 'index'));
    writeFileSync(join(store.work, 'token'), 'token-of-the-test-1234\n');
    chmodSync(join(store.work, 'token'), 0o600);
    repository = new TestRepository(join(store.work, 'repository'));
    repository.commit({ '3/ph/else_php': entry('else/php', '1.0.0') });
    served = scope.use(
      await serve(['team=index', `file://${repository.path}`, '--allow-register', '--token-file', 'token'], {
        ...o,
        PACK_HOME,
      }),
    );
    await ok(['config', 'registries', 'add', 'team', `${served.url}r/team/`, '--type', 'http'], o);
    await ok(['config', 'registries', 'add', 'all', served.url, '--type', 'http'], o);
    for (const name of ['first', 'both'])
      await ok(['buildpack', 'register', `${host}/${name}`, '-r', 'team', '--token-file', 'token'], o);
  });
  after(() => scope.disposeAsync());

  test('an application is built by urn:cnb:registry: through it, elsewhere', async () => {
    await buildTestBuilder(store, { buildpacks: [{ id: 'test/none', detect: 'exit 100' }] });
    write(join(store.work, 'app/app.txt'), 'an application\n');
    const build = ['build', '-q', 'app', '--builder', 'builder', '-t', 'app', '-r', 'all'];
    await ok([...build, '-b', 'urn:cnb:registry:acme/both'], o);
    const { stdout } = await ok(['run', 'app'], o);
    assert.equal(stdout, 'first was here\nsecond was here\n');
    // The same by the descriptor of the application, with its version.
    write(
      join(store.work, 'app/project.toml'),
      '[_]\nschema-version = "0.2"\n[[io.buildpacks.group]]\nuri = "urn:cnb:registry:acme/first@1.0.0"\n',
    );
    await ok(build, o);
    assert.equal((await ok(['run', 'app'], o)).stdout, 'first was here\n');
  });

  test('it is searched, changed with a token alone, and what changes in a repository is seen', async () => {
    const listed = await ok(['buildpack', 'search', '-r', 'all', '--format', 'json'], o);
    assert.deepEqual(
      (JSON.parse(listed.stdout) as { id: string; version: string }[]).map(({ id, version }) => `${id}@${version}`),
      ['acme/both@2.0.0', 'acme/first@1.0.0', 'else/php@1.0.0'],
    );
    const refused = await strake(['buildpack', 'yank', 'acme/first@1.0.0', '-r', 'team'], o);
    assert.match(refused.stderr, /only read without a token/);
    writeFileSync(join(store.work, 'wrong'), 'another-token-1234567\n');
    const wrong = await strake(['buildpack', 'yank', 'acme/first@1.0.0', '-r', 'team', '--token-file', 'wrong'], o);
    assert.match(wrong.stderr, /A token is needed/);
    assert.notEqual(wrong.code, 0);
    await ok(['buildpack', 'yank', 'acme/first@1.0.0', '-r', 'team', '--token-file', 'token'], o);
    const gone = await strake(['buildpack', 'pull', 'acme/first', '-r', 'team'], o);
    assert.match(gone.stderr, /There is 1\.0\.0 \(yanked\)/);
    assert.match(await text(`${served.url}buildpacks/acme/first`), /This version was taken back/);
    await ok(['buildpack', 'yank', '--undo', 'acme/first@1.0.0', '-r', 'team', '--token-file', 'token'], o);
    assert.match(readFileSync(join(store.work, 'index/fi/rs/acme_first'), 'utf8'), /"yanked":false/);
    repository.commit({ '3/ph/else_php': entry('else/php', '1.0.0') + entry('else/php', '1.1.0') });
    await says(`${served.url}buildpacks/else/php`, 'else/php@1.1.0');
  });

  test('the page of a composite says what its image says, with its order', async () => {
    const page = await text(`${served.url}buildpacks/acme/both`);
    assert.match(page, /<p>First and &lt;second&gt;<\/p>/);
    assert.match(page, /<a href="https:\/\/buildpacks\.example\/both" rel="noreferrer nofollow">/);
    assert.match(page, /<dt>Licenses<\/dt><dd>MIT<\/dd>/);
    assert.match(page, /<a href="\/buildpacks\/acme\/first\/1\.0\.0">acme\/first@1\.0\.0<\/a>/);
    assert.match(page, /<li>acme\/second@1\.0\.0\s*<span class="badge plain">optional<\/span>/);
    assert.match(page, /strake build --buildpack urn:cnb:registry:acme\/both@2\.0\.0</);
  });

  test('processes that change an index at the same time lose nothing of each other', async () => {
    const folder = join(store.work, 'shared-index');
    const script = `
      const { folderIndex } = await import(process.argv[1]);
      const index = folderIndex(process.argv[2], 'shared');
      for (let at = 0; at < 20; at++)
        index.register({ namespace: 'a', name: 'b', version: process.argv[3] + '.0.' + at, yanked: false, address: 'r/x' });`;
    const room = pathToFileURL(join(CHECKOUT, 'src/frontend/buildpack/index.ts')).href;
    const args = ['--disable-warning=ExperimentalWarning', '--input-type=module', '-e', script, room, folder];
    const ended = await Promise.all(
      ['1', '2', '3'].map(
        (major) =>
          new Promise((resolve) =>
            spawn(process.execPath, [...args, major], { stdio: 'inherit' }).on('close', resolve),
          ),
      ),
    );
    assert.deepEqual(ended, [0, 0, 0]);
    assert.equal(readFileSync(join(folder, '1/a_b'), 'utf8').trim().split('\n').length, 60);
    assert.deepEqual(readdirSync(folder), ['1']);
  });

  test('it speaks TLS, refuses a place that is taken, and a signal is a success', async () => {
    execFileSync(
      'openssl',
      'req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=IP:127.0.0.1 -keyout tls.key -out tls.crt'.split(
        ' ',
      ),
      { cwd: store.work, stdio: 'pipe' },
    );
    const PACK_HOME = join(store.work, 'pack');
    await using safe = await serve(['index', '--tls-cert', 'tls.crt', '--tls-key', 'tls.key'], { ...o, PACK_HOME });
    assert.match(safe.url, /^https:/);
    const own = { ...o, env: { ...o.env, SSL_CERT_FILE: join(store.work, 'tls.crt') } };
    await ok(['config', 'registries', 'add', 'safe', safe.url, '--type', 'http'], own);
    const { stdout } = await ok(['buildpack', 'search', 'both', '-r', 'safe'], own);
    assert.match(stdout, /acme\/both/);
    const { host } = new URL(safe.url);
    const taken = await strake(['buildpack', 'registry', 'serve', 'index', '--listen', host], o);
    assert.match(taken.stderr, /listen at ".*": .*in use/);
    assert.notEqual(taken.code, 0);
    const nowhere = await strake(['buildpack', 'registry', 'serve', './none'], o);
    assert.match(nowhere.stderr, /it is not configured, and there is no such folder/);
    assert.equal(await safe.stop('SIGTERM'), 0);
  });

  suite('in headless Chromium', { skip: noBrowser }, () => {
    const shownRows =
      "[...document.querySelectorAll('.result')].filter((row) => !row.hidden).map((row) => row.querySelector('a').textContent)";

    async function press(page: Page, key: string): Promise<void> {
      for (const type of ['keyDown', 'keyUp'])
        await page.send('Input.dispatchKeyEvent', {
          type,
          key,
          code: key === 'Enter' ? 'Enter' : undefined,
          windowsVirtualKeyCode: key === 'Enter' ? 13 : undefined,
          text: type === 'keyDown' ? (key === 'Enter' ? '\r' : key.length === 1 ? key : undefined) : undefined,
        });
    }

    test('nothing is fetched, nothing complains, and it fits narrow and wide, dark and light', async () => {
      for (const path of ['', 'buildpacks/acme/both', 'buildpacks/else/php/1.0.0']) {
        await using page = await openPage(served.url + path);
        for (const width of [380, 1280])
          for (const scheme of ['light', 'dark']) {
            await page.send('Emulation.setDeviceMetricsOverride', {
              width,
              height: 900,
              deviceScaleFactor: 1,
              mobile: false,
            });
            await page.send('Emulation.setEmulatedMedia', {
              features: [{ name: 'prefers-color-scheme', value: scheme }],
            });
            const [scroll, back] = (await page.evaluate(
              '[document.documentElement.scrollWidth, getComputedStyle(document.body).backgroundColor]',
            )) as [number, string];
            assert.ok(scroll <= width, `${path}: ${scroll} pixels wide of ${width}`);
            assert.equal(back, scheme === 'dark' ? 'rgb(20, 23, 27)' : 'rgb(255, 255, 255)');
          }
        assert.deepEqual(page.requests, []);
        assert.deepEqual(page.complaints, []);
      }
    });

    test('text stands out from what is behind it, in both palettes', async () => {
      for (const path of ['', 'buildpacks/acme/both', 'buildpacks/acme/none']) {
        await using page = await openPage(served.url + path);
        for (const scheme of ['light', 'dark']) {
          await page.send('Emulation.setEmulatedMedia', {
            features: [{ name: 'prefers-color-scheme', value: scheme }],
          });
          assert.deepEqual(await page.evaluate(FAINT), [], `${path} ${scheme}`);
        }
      }
    });

    test('by keyboard: the list narrows as one types, Enter asks the server, a row is opened', async () => {
      await using page = await openPage(served.url);
      await press(page, '/');
      assert.equal(await page.evaluate('document.activeElement.id'), 'q');
      await page.send('Input.insertText', { text: 'else p' });
      assert.deepEqual(await page.evaluate(shownRows), ['else/php']);
      assert.equal(await page.evaluate("document.getElementById('found').textContent"), '1 of 3');
      await press(page, 'Escape');
      assert.deepEqual(await page.evaluate(shownRows), ['acme/both', 'acme/first', 'else/php']);
      await page.send('Input.insertText', { text: 'both' });
      await press(page, 'Enter');
      await waitFor(page, "location.search.includes('q=both') && document.readyState === 'complete'");
      assert.deepEqual(await page.evaluate(shownRows), ['acme/both']);
      await page.evaluate("document.querySelector('.result a').focus()");
      await press(page, 'Enter');
      await waitFor(page, "location.pathname === '/buildpacks/acme/both' && document.readyState === 'complete'");
      assert.equal(await page.evaluate("document.querySelector('h1').textContent.trim()"), 'acme/both 2.0.0');
      assert.equal(await page.evaluate("document.querySelectorAll('.copy[hidden]').length"), 0);
      assert.deepEqual(page.complaints, []);
    });

    test('without a script the form finds the same', async () => {
      await using page = await openPage(served.url);
      await page.send('Emulation.setScriptExecutionDisabled', { value: true });
      await page.send('Page.navigate', { url: `${served.url}?q=first` });
      await waitFor(page, "location.search === '?q=first' && document.readyState === 'complete'");
      assert.deepEqual(await page.evaluate(shownRows), ['acme/first', 'acme/both']);
      assert.equal(await page.evaluate("document.querySelectorAll('.copy:not([hidden])').length"), 0);
    });
  });
});

/** Elements whose text has less contrast than 4.5 to 1 with the colour behind it (WCAG 2.2, 1.4.3). */
const FAINT = `(() => {
  const rgb = (text) => (text.match(/[\\d.]+/g) ?? []).map(Number);
  const light = (text) => {
    const [r, g, b] = rgb(text).map((one) => { const part = one / 255; return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4; });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (element) => {
    for (let one = element; one; one = one.parentElement) {
      const { backgroundColor } = getComputedStyle(one);
      if (rgb(backgroundColor)[3] !== 0) return backgroundColor;
    }
    return 'rgb(255, 255, 255)';
  };
  return [...document.body.querySelectorAll('*')]
    .filter((one) => one.checkVisibility() && [...one.childNodes].some((node) => node.nodeType === 3 && node.data.trim() !== ''))
    .flatMap((one) => {
      const [a, b] = [light(getComputedStyle(one).color), light(behind(one))].sort((x, y) => y - x);
      return (a + 0.05) / (b + 0.05) < 4.5 ? [one.outerHTML.slice(0, 100)] : [];
    });
})()`;

async function waitFor(page: Page, expression: string): Promise<void> {
  for (let count = 0; count < 100; count++) {
    if ((await page.evaluate(expression).catch(() => false)) === true) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  assert.fail(`${expression} does not come true`);
}

function entry(id: string, version: string): string {
  const [ns, name] = id.split('/');
  const addr = `127.0.0.1:1/${id}@sha256:${'0'.repeat(64)}`;
  return `${JSON.stringify({ ns, name, version, yanked: false, addr })}\n`;
}
