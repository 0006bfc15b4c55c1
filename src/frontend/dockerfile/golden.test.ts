import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import type { Vertex } from '../../graph/index.ts';
import { planText, type Planned } from './fake-host.suite.ts';

const folder = new URL('testdata/', import.meta.url);
const update = process.env['STRAKE_UPDATE_GOLDEN'] === '1';
const names = readdirSync(folder)
  .filter((name) => name.endsWith('.dockerfile'))
  .map((name) => name.slice(0, -'.dockerfile'.length));

/** The vertices below the result, inputs first, each once. */
function steps({ image }: Planned): readonly Vertex[] {
  const found = new Map<string, Vertex>();
  const visit = (vertex: Vertex): void => {
    if (found.has(vertex.digest)) return;
    for (const { vertex: input } of vertex.inputs) visit(input);
    found.set(vertex.digest, vertex);
  };
  if (image.root.edge !== undefined) visit(image.root.edge.vertex);
  return [...found.values()].filter(({ op }) => op.kind !== 'source' || op.source.type !== 'scratch');
}

/** What is kept of a step: enough to see a change of meaning, without what every step has. */
function stepOf({ op, label }: Vertex): object {
  const { name, place } = label;
  const lines = place === undefined ? {} : { lines: `${place.line}-${place.endLine ?? place.line}` };
  if (op.kind === 'exec') {
    const { args, env, cwd, user, files, network, security } = op;
    const mounts = op.mounts.length > 1 ? op.mounts.slice(1) : undefined;
    const limits = network === 'default' && security === 'sandbox' ? {} : { network, security };
    return { name, ...lines, args, env, cwd, user, files, mounts, ...limits };
  }
  if (op.kind === 'file') return { name, ...lines, actions: op.actions };
  return { name, ...lines, ...op };
}

test('there are golden plans', () => assert.ok(names.length >= 15));

for (const name of names)
  test(`golden plan of ${name}`, async () => {
    const text = readFileSync(new URL(`${name}.dockerfile`, folder), 'utf8');
    const planned = await planText(text, { ignore: 'node_modules\n' });
    const { config, baseHistory } = planned.image;
    const layers = planned.image.layers.length;
    const warnings = planned.host.warnings.map(
      ({ code, message, place }) => `${code} (line ${place?.line ?? 0}): ${message}`,
    );
    const found = `${JSON.stringify({ config, baseHistory, layers, steps: steps(planned).map(stepOf), warnings }, null, 2)}\n`;
    const golden = new URL(`${name}.json`, folder);
    if (update) writeFileSync(golden, found);
    assert.ok(existsSync(golden), `${name}.json: see testdata/README.md`);
    assert.deepEqual(JSON.parse(found), JSON.parse(readFileSync(golden, 'utf8')));
  });
