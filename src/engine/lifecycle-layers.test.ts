import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Frontend } from '../frontend/index.ts';
import { scratch, State } from '../graph/index.ts';
import { EngineRig } from './engine-rig.suite.ts';

test('layers of the lifecycle keep their digests whatever the epoch: labels name them', async () => {
  const said: string[] = [];
  const frontend: Frontend = async (_, host) => {
    const after = State.files(
      { actions: [{ kind: 'mkfile', path: '/a', mode: 0o644, content: 'x', mtime: 0 }], dialect: 'lifecycle' },
      [],
      { name: 'a' },
    );
    said.push(...(await host.diffIds(await host.solve(after))));
    const platform = { os: 'linux', architecture: 'amd64' };
    const image = {
      platform,
      layers: [{ kind: 'step', before: scratch, after, dialect: 'lifecycle' } as const],
      root: after,
      config: { ...platform, rootfs: { type: 'layers' as const, diff_ids: [] } },
      baseHistory: 0,
      attestations: [],
    };
    return { results: new Map([['linux/amd64', image]]), metadata: new Map() };
  };
  for (const epoch of [undefined, 1]) {
    await using rig = await EngineRig.open({ frontends: { fake: frontend } });
    const { error } = await rig.build({ a: '' }, { frontend: 'fake', names: ['x'], epoch });
    assert.equal(error, undefined);
    assert.deepEqual((await rig.engine.images.inspect('x')).config.rootfs.diff_ids, said.slice(-1));
  }
});
