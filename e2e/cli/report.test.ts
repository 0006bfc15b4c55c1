import assert from 'node:assert/strict';
import { copyFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { after, before, suite, test } from 'node:test';
import { buildTestBuilder, write, writeBuildpack } from '../buildpack/test-builder.ts';
import { noBrowser, openPage, type Page } from '../lib/browser.ts';
import { emptyStore, type TestStore } from '../lib/store.ts';
import { ok, strake } from '../lib/strake.ts';

const DOCKERFILE = `FROM scratch AS base
COPY busybox /bin/busybox
RUN ["/bin/busybox", "--install", "-s", "/bin"]

FROM base AS one
RUN echo "a line of one </script><b>"; echo one > /one

FROM base AS two
RUN --mount=type=secret,id=token wc -c < /run/secrets/token; echo two > /two

FROM base
LABEL maker=test
COPY --from=one /one /one
COPY --from=two /two /two
CMD ["/bin/sh"]
`;

const SBOM =
  '{"bomFormat":"CycloneDX","components":[{"name":"left-pad","version":"1.3.0","licenses":[{"license":{"id":"MIT"}}]}]}';

const BUILD = `echo "made by the buildpack"
mkdir -p "$CNB_LAYERS_DIR/tool"
head -c 5000 /dev/zero > "$CNB_LAYERS_DIR/tool/file"
printf '[types]\\nlaunch = true\\n' > "$CNB_LAYERS_DIR/tool.toml"
printf '[[processes]]\\ntype = "web"\\ncommand = ["sh", "-c", "true"]\\ndefault = true\\n' > "$CNB_LAYERS_DIR/launch.toml"
echo '${SBOM}' > "$CNB_LAYERS_DIR/tool.sbom.cdx.json"
`;

interface Data {
  readonly outcome: string;
  readonly steps: readonly {
    readonly number: number;
    readonly name: string;
    readonly phase: string;
    readonly state: string;
    readonly why: readonly string[];
    readonly logLines: number;
  }[];
  readonly failure?: { readonly step?: number; readonly place?: string };
  readonly images: readonly {
    readonly names: readonly string[];
    readonly facts: {
      readonly layers: readonly { readonly step?: number; readonly base: boolean; readonly createdBy: string }[];
      readonly processes: readonly object[];
      readonly buildpacks: readonly object[];
      readonly components: readonly object[];
      readonly labels: readonly (readonly [string, string])[];
    };
  }[];
}

suite('the page of a build', () => {
  let store: TestStore;
  let context: string;
  const page = (name: string): string => join(store.work, 'pages', `${name}.html`);
  const dataOf = (name: string): Data => {
    const text = readFileSync(page(name), 'utf8');
    assert.ok(text.length < 150_000, `${name}: ${text.length} characters`);
    const [, json = ''] = /<script type="application\/json" id="build">(.*?)<\/script>/s.exec(text) ?? [];
    return JSON.parse(json) as Data;
  };

  before(async () => {
    store = emptyStore();
    context = join(store.work, 'context');
    mkdirSync(join(store.work, 'pages'));
    mkdirSync(context);
    copyFileSync('/bin/busybox', join(context, 'busybox'));
    writeFileSync(join(context, 'Dockerfile'), DOCKERFILE);
    writeFileSync(join(store.work, 'token'), 'the-token-of-the-test');
    const build = (name: string, ...more: readonly string[]): ReturnType<typeof strake> =>
      strake(['build', '--progress=plain', '--report', page(name), ...more], { root: store.root });
    const secret = ['--secret', `id=token,src=${join(store.work, 'token')}`];
    assert.equal((await build('built', '-t', 'app', ...secret, context)).code, 0);
    assert.equal((await build('again', '-t', 'app', ...secret, context)).code, 0);
    writeFileSync(join(context, 'Dockerfile'), DOCKERFILE.replace('echo one > /one', 'echo it breaks >&2; exit 7'));
    assert.notEqual((await build('failed', ...secret, context)).code, 0);
    await buildTestBuilder(store, { buildpacks: [{ id: 'test/one', build: BUILD }] });
    write(join(store.work, 'source/app.txt'), 'the app\n');
    await ok(['build', '-q', '-B', 'builder', '-t', 'cnb', '--report', page('buildpack'), join(store.work, 'source')], {
      root: store.root,
    });
  });
  after(() => store[Symbol.dispose]());

  test('of a Dockerfile: stages, what ran and what was found, layers with their steps', () => {
    const data = dataOf('built');
    assert.equal(data.outcome, 'built');
    const own = data.steps.filter(({ phase }) => ['base', 'one', 'two'].includes(phase));
    assert.deepEqual(new Set(own.map(({ state }) => state)), new Set(['ran']));
    assert.ok(own.every(({ why }) => why.length > 0));
    const [image] = data.images;
    assert.deepEqual(image?.names, ['app:latest']);
    assert.ok(
      image.facts.layers.length === 4 && image.facts.layers.every(({ step, base }) => step !== undefined && !base),
    );
    assert.deepEqual(image.facts.labels, [['maker', 'test']]);
    const again = dataOf('again').steps.filter(({ phase }) => ['base', 'one', 'two'].includes(phase));
    assert.deepEqual(new Set(again.map(({ state }) => state)), new Set(['cached']));
    for (const name of readdirSync(join(store.work, 'pages')))
      assert.doesNotMatch(readFileSync(join(store.work, 'pages', name), 'utf8'), /the-token-of-the-test/);
  });

  test('of a build that failed: where and why, with its log', () => {
    const { outcome, failure, steps } = dataOf('failed');
    assert.equal(outcome, 'failed');
    assert.equal(failure?.place, 'Dockerfile:6:1');
    assert.equal(steps.find(({ number }) => number === failure.step)?.state, 'failed');
    assert.match(readFileSync(page('failed'), 'utf8'), /<mark>\s+6 \| &gt;&gt;&gt; RUN echo[^]*it breaks<\/span>\n/);
  });

  test('of an application by buildpacks: phases, processes, components', () => {
    const { steps, images } = dataOf('buildpack');
    for (const phase of ['detect', 'build', 'export'])
      assert.ok(
        steps.some((step) => step.phase === phase),
        phase,
      );
    const facts = images[0]?.facts;
    const built = steps.find(({ name }) => name === '[build] test/one@1.0.0');
    assert.ok(built && built.logLines > 0);
    assert.equal(facts?.layers.find(({ createdBy }) => createdBy.startsWith("Layer: 'tool'"))?.step, built.number);
    assert.equal(facts.layers[0]?.base, true);
    assert.deepEqual(facts.processes, [{ type: 'web', command: 'sh -c true', isDefault: true, buildpack: 'test/one' }]);
    assert.deepEqual(facts.buildpacks, [{ id: 'test/one', version: '1.0.0' }]);
    assert.deepEqual(facts.components, [
      { name: 'left-pad', version: '1.3.0', licenses: 'MIT', from: 'test_one/tool' },
    ]);
  });

  test('a place where none can be written is refused before anything is built', async () => {
    const { code, stderr } = await strake(['build', '--report', join(store.work, 'none/x.html'), context], {
      root: store.root,
    });
    assert.notEqual(code, 0);
    assert.match(stderr, /write --report ".*": there is no such folder/);
    assert.doesNotMatch(stderr, /load build definition/);
  });

  test('as a trace: to a collector, and to files by phases and buildpacks, also of a build that fails', async () => {
    const bodies: string[] = [];
    const server = createServer((request, response) => {
      let body = '';
      request.setEncoding('utf8').on('data', (text: string) => (body += text));
      request.on('end', () => {
        bodies.push(body);
        response.end('{}');
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    try {
      const { port } = server.address() as AddressInfo;
      const traces = join(store.work, 'traces');
      const failing = join(store.work, 'failing');
      writeBuildpack(failing, { id: 'test/fails', build: 'echo said-by-the-step; exit 7' });
      const flags = ['--otlp', `http://127.0.0.1:${port}`, '--trace-dir', traces, '-B', 'builder', '-b', failing];
      const { code, stderr } = await strake(['build', '--progress=plain', ...flags, join(store.work, 'source')], {
        root: store.root,
      });
      assert.notEqual(code, 0);
      assert.doesNotMatch(stderr, /send the trace/);
      const own = readFileSync(join(traces, 'buildpacks/test_fails@1.0.0-build.jsonl'), 'utf8');
      for (const name of ['build.jsonl', 'lifecycle/detect.jsonl', 'buildpacks/test_fails@1.0.0-detect.jsonl'])
        assert.match(readFileSync(join(traces, name), 'utf8'), /^\{"resourceSpans":.*\}\n$/, name);
      const [, span] =
        /"spanId":"([0-9a-f]{16})".*"name":"\[build\] test\/fails@1.0.0".*"status":\{"code":2/.exec(own) ?? [];
      assert.ok(span !== undefined, own);
      assert.equal(bodies.length, 1);
      assert.ok(bodies[0]?.includes(span));
      assert.doesNotMatch(own, /said-by-the-step/);
    } finally {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    }
  });

  suite('in headless Chromium', { skip: noBrowser }, () => {
    const open = async (name: string, hash = ''): Promise<Page> => openPage(`${pathToFileURL(page(name)).href}${hash}`);
    const visible = "[...document.querySelectorAll('.step')].filter((step) => !step.hidden)";

    test('nothing is fetched, nothing complains, and it fits narrow and wide, dark and light', async () => {
      for (const name of ['built', 'failed', 'buildpack']) {
        await using shown = await open(name);
        for (const width of [380, 1280])
          for (const scheme of ['light', 'dark']) {
            await shown.send('Emulation.setDeviceMetricsOverride', {
              width,
              height: 900,
              deviceScaleFactor: 1,
              mobile: false,
            });
            await shown.send('Emulation.setEmulatedMedia', {
              features: [{ name: 'prefers-color-scheme', value: scheme }],
            });
            await shown.evaluate("document.getElementById('open-all').click()");
            const [scroll, back] = (await shown.evaluate(
              '[document.documentElement.scrollWidth, getComputedStyle(document.body).backgroundColor]',
            )) as [number, string];
            assert.ok(scroll <= width, `${name}: ${scroll} pixels wide of ${width}`);
            assert.equal(back, scheme === 'dark' ? 'rgb(20, 23, 27)' : 'rgb(255, 255, 255)');
          }
        assert.equal(await shown.evaluate("document.querySelectorAll('b script, .log b').length"), 0);
        assert.deepEqual(shown.requests, []);
        assert.deepEqual(shown.complaints, []);
      }
    });

    test('search opens what fits, by keyboard', async () => {
      await using shown = await open('built');
      const press = async (key: string): Promise<void> => {
        for (const type of ['keyDown', 'keyUp'])
          await shown.send('Input.dispatchKeyEvent', {
            type,
            key,
            text: key.length === 1 && type === 'keyDown' ? key : undefined,
          });
      };
      const all = await shown.evaluate(`${visible}.length`);
      await press('/');
      assert.equal(await shown.evaluate('document.activeElement.id'), 'search');
      await shown.send('Input.insertText', { text: 'A LINE of one' });
      assert.deepEqual(
        await shown.evaluate(
          `${visible}.map((step) => [step.open, step.querySelector('.name').textContent.slice(0, 9)])`,
        ),
        [[true, '[one 1/1]']],
      );
      assert.equal(await shown.evaluate("CSS.highlights.get('found').size > 0"), true);
      await press('Escape');
      assert.equal(await shown.evaluate(`${visible}.length`), all);
      assert.equal(await shown.evaluate("document.querySelectorAll('.step[open]').length"), 0);
    });

    test('a link leads to its step and opens it; on paper all is open', async () => {
      const { failure } = dataOf('failed');
      await using shown = await open('failed', '#step-1');
      assert.equal(await shown.evaluate("document.getElementById('step-1').open"), true);
      assert.equal(await shown.evaluate(`document.getElementById('step-${failure?.step}').open`), true);
      await shown.evaluate("document.querySelector('.phase .cached a, .phase a').click()");
      assert.match(String(await shown.evaluate('location.hash')), /^#step-\d+$/);
      const { data } = (await shown.send('Page.printToPDF', {})) as { data: string };
      assert.ok(Buffer.from(data, 'base64').subarray(0, 5).toString() === '%PDF-');
    });
  });
});
