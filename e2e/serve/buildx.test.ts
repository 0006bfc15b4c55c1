import assert from 'node:assert/strict';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { peersCommand } from '../lib/docker-peer.ts';
import { strake } from '../lib/strake.ts';
import { excerpt, lastWords } from './buildx/alike.ts';
import type { Line } from './buildx/line.ts';
import { LINES } from './buildx/lines.ts';
import { World, type Side } from './buildx/world.ts';

/**
 * docker buildx, unmodified, with a daemon of strake's by driver remote, and with docker 28's own BuildKit: each line on both. STRAKE_TEST_PEERS names a command that runs its arguments where docker 28 and buildx are and this machine's
 * / is at /host; loopback is shared.
 */
const enter = peersCommand();
const skip = enter ? false : 'needs docker 28 with buildx: STRAKE_TEST_PEERS names the command that runs them';
const SIDES: readonly Side[] = ['ours', 'theirs'];
let world: World;

before(async () => {
  if (enter) world = await World.open(mkdtempSync(join(tmpdir(), 'strake-buildx-')), enter);
});
after(async () => {
  if (enter) await world[Symbol.asyncDispose]();
});

if (!enter) test(`docker buildx: ${LINES.length} lines`, { skip }, () => undefined);

for (const line of enter ? LINES : [])
  test(`docker buildx: ${line.name}`, async () => {
    for (const words of line.before ?? []) await Promise.all(SIDES.map((side) => world.ready(side, words)));
    const [ours, theirs] = await Promise.all([world.run('ours', line), world.run('theirs', line)]);
    const told = `${ours.stdout}${ours.stderr}\n--- docker's:\n${theirs.stdout}${theirs.stderr}`;
    const { differs } = line;
    for (const side of [ours, theirs]) {
      const [code, says] =
        differs && side.side in differs
          ? (differs as unknown as Record<Side, readonly [number, RegExp]>)[side.side]
          : [line.code ?? 0, line.says];
      assert.equal(side.code, code, `${side.side}: ${told}`);
      if (says) assert.match(`${side.stdout}${lastWords(side)}`, says, told);
    }
    if (differs) return;
    if (line.excerpt === 'ours') assert.deepEqual([excerpt(ours).length > 0, excerpt(theirs)], [true, []], told);
    if (line.excerpt === 'same') assert.deepEqual(excerpt(ours), excerpt(theirs), told);
    if (line.alike) assert.deepEqual(line.alike(ours), line.alike(theirs), told);
    for (const place of line.compare ?? []) await sameFiles(place, line);
  });

async function sameFiles(place: string, { name }: Line): Promise<void> {
  const [a = '', b = ''] = SIDES.map((side) => world.fill(place, side, (path) => path));
  const words = ['diff', '--ignore', 'times,layers', a, b];
  const difference = await strake(words, { root: join(world.folder, 'store') });
  assert.equal(difference.code, 0, `${name}: ${difference.stdout}${difference.stderr}`);
}
