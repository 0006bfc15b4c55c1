import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { systemRandom, tempFolder } from '../base/index.ts';

const DOCUMENT = join(import.meta.dirname, '../../docs/library.md');
const MODULES: Readonly<Record<string, string>> = { strake: 'strake.ts', 'strake/buildkit': 'buildkit.ts' };

type Example = (folder: string) => Promise<unknown>;

/** The examples of the document, by their title, as modules that import the sources. */
async function examples(folder: string): Promise<Map<string, Example>> {
  const found = new Map<string, Example>();
  let title = '';
  for (const [, heading, code] of readFileSync(DOCUMENT, 'utf8').matchAll(/^## (.*)$|^```ts\n([^]*?)^```$/gm)) {
    if (heading !== undefined) title = heading;
    if (code === undefined) continue;
    const file = join(folder, `example-${found.size}.ts`);
    writeFileSync(
      file,
      code.replaceAll(/from '(strake(?:\/buildkit)?)'/g, (_whole, name: string) => {
        const path = join(import.meta.dirname, MODULES[name] ?? '');
        return `from ${JSON.stringify(pathToFileURL(path).href)}`;
      }),
    );
    found.set(title, ((await import(pathToFileURL(file).href)) as { example: Example }).example);
  }
  return found;
}

test('the examples of the documentation do what they say', async (t) => {
  t.mock.method(console, 'log', () => undefined);
  using temp = tempFolder(tmpdir(), systemRandom);
  const run = await examples(temp.path);
  const fresh = (name: string): string => {
    const folder = join(temp.path, name);
    mkdirSync(join(folder, 'context'), { recursive: true });
    writeFileSync(join(folder, 'context/Dockerfile'), 'FROM scratch\nARG GREETING=x\nCOPY a /\nLABEL g=$GREETING\n');
    writeFileSync(join(folder, 'context/a'), 'a');
    return folder;
  };
  const does = async (title: string, folder: string): Promise<unknown> => {
    const example = run.get(title);
    assert.ok(example, `there is no example "${title}"`);
    return example(folder);
  };
  assert.equal(run.size, 5);

  const image = (await does('Building in process', fresh('process'))) as { config: { config: { Labels: object } } };
  assert.deepEqual(image.config.config.Labels, { g: 'hello' });

  const graph = fresh('graph');
  await does('A graph without a Dockerfile', graph);
  assert.ok(readFileSync(join(graph, 'greeting.tar')).includes('oci-layout'));

  const served = fresh('served');
  assert.ok(Array.isArray(await does("A server and a client of BuildKit's API", served)));
  assert.ok(existsSync(join(served, 'app.tar')));

  assert.equal(await does('Graphs as LLB', ''), true);

  const motd = fresh('motd');
  writeFileSync(join(motd, 'context/Motdfile'), '# syntax=example.org/motd\nbe well\n');
  assert.deepEqual(await does('A frontend for any BuildKit', motd), { motd: 'be well\n' });
});
