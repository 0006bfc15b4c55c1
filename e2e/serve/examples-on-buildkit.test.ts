import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { findBuildkitd, type TestBuildkitd } from '../lib/buildkitd.ts';
import { emptyStore, storeWithBuilder, type TestStore } from '../lib/store.ts';
import { CHECKOUT, strake } from '../lib/strake.ts';

/** Every example of an application, by its Dockerfile or by buildpacks: on BuildKit the same files as here, but for times and what follows from them. */
const found = findBuildkitd();
const IGNORE = 'times,layers,history,config';
const EXAMPLES = ['hello', 'node-app', 'procfile-app', 'python-app', 'static-site'];

let store: TestStore | undefined;
let own: TestStore | undefined;
let daemon: TestBuildkitd | undefined;
before(async () => {
  if (!('open' in found)) return;
  own = emptyStore();
  daemon = await found.open(join(own.work, 'docker'));
  store = await storeWithBuilder();
});
after(async () => {
  await daemon?.[Symbol.asyncDispose]();
  own?.[Symbol.dispose]();
  store?.[Symbol.dispose]();
});

for (const example of EXAMPLES)
  test(`examples/${example} on BuildKit: the same files as here`, { skip: 'skip' in found && found.skip }, async () => {
    assert.ok(store && daemon);
    const { root, work } = store;
    const there = join(work, `${example}.tar`);
    const context = join(CHECKOUT, 'examples', example);
    const run = async (...args: string[]): Promise<string> => {
      const { code, stdout, stderr } = await strake(args, { root });
      assert.equal(code, 0, stderr + stdout);
      return stdout;
    };
    await run('build', context, '--on', daemon.on, '-o', `type=oci,dest=${there}`, '-q');
    await run('build', context, '-t', example, '-q');
    await run('diff', '--ignore', IGNORE, `oci-archive:${there}`, `store:${example}`);
  });
