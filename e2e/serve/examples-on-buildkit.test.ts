import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { tmpdir } from 'node:os';
import { systemRandom, tempFolder } from '../../src/base/index.ts';
import { findBuildkitd } from '../lib/buildkitd.ts';
import { CHECKOUT, strake } from '../lib/strake.ts';

const FULL = process.env['STRAKE_TEST_FULL'] === '1';
const found = findBuildkitd();

/** The example, and what of its image is another on each build: times, and all that follows from bytes. */
const EXAMPLES: readonly (readonly [name: string, ignore: string])[] = [
  ['hello', 'times,layers,history,config'],
  ['node-app', 'times,layers,history,config'],
];

for (const [example, ignore] of EXAMPLES) {
  const skip = 'skip' in found ? found.skip : !FULL && 'packages are installed on both sides: with npm run test:full';
  test(`examples/${example} on BuildKit: the same files as here`, { skip }, async () => {
    assert.ok('on' in found);
    using folder = tempFolder(tmpdir(), systemRandom);
    const root = join(folder.path, 'store');
    const there = join(folder.path, 'there.tar');
    const context = join(CHECKOUT, 'examples', example);
    const run = async (...args: string[]): Promise<string> => {
      const { code, stdout, stderr } = await strake(args, { root });
      assert.equal(code, 0, stderr + stdout);
      return stdout;
    };
    await run('build', context, '--on', found.on, '-o', `type=oci,dest=${there}`, '-q');
    await run('build', context, '-t', 'here', '-q');
    await run('diff', '--ignore', ignore, `oci-archive:${there}`, 'store:here');
  });
}
