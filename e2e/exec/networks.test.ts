import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { findTool, hasCode, sys, systemRandom } from '../../src/base/index.ts';
import { networkKinds, openNetwork } from '../../src/exec/open-network.ts';
import type { Network } from '../../src/exec/network.ts';
import { openWorkspace } from '../../src/exec/workspace.ts';

const isRoot = process.getuid?.() === 0;
const folder = mkdtempSync(join(tmpdir(), 'strake-networks-'));
if (isRoot) sys.unshareMounts();
after(() => rmSync(folder, { recursive: true, force: true }));

const inside = (path: string, ...command: string[]): string => {
  const done = spawnSync('nsenter', [`--net=${path}`, ...command], { encoding: 'utf8' });
  assert.equal(done.status, 0, done.stderr);
  return done.stdout;
};
const pathOf = async (network: Network): Promise<string> => {
  const got = await network.open('default');
  assert.ok(got.kind === 'path');
  return got.path;
};

for (const kind of ['pasta', 'slirp4netns'] as const) {
  const skip = !isRoot ? 'not root' : findTool(kind) === undefined ? `${kind} is not installed` : false;
  test(`${kind}: one namespace with a route for all steps, gone with the executor`, { skip }, async (t) => {
    if (!networkKinds(undefined).includes(kind)) {
      t.skip('no default route or no /dev/net/tun');
      return;
    }
    using workspace = openWorkspace(join(folder, kind), systemRandom);
    const network = openNetwork(kind, { workspace });
    const path = await pathOf(network);
    assert.equal(await pathOf(network), path);
    assert.match(inside(path, 'cat', '/proc/net/route'), /^\w+\t00000000\t/m);
    assert.match(inside(path, 'cat', '/proc/net/if_inet6'), / lo$/m);
    assert.equal((await network.open('host')).kind, 'host');
    assert.equal((await network.open('none')).kind, 'empty');
    await network[Symbol.asyncDispose]();
    assert.ok(!readFileSync('/proc/self/mountinfo', 'utf8').includes(path));
    assert.equal(spawnSync('pgrep', ['-f', path]).status, 1);
  });
}

test(
  'CNI: the plugins of the configuration, undone in reverse',
  { skip: !isRoot ? 'not root' : existsSync('/usr/lib/cni/tuning') ? false : 'no CNI plugins' },
  async () => {
    const upper = join(folder, 'etc');
    for (const name of ['upper', 'work']) mkdirSync(join(upper, name), { recursive: true });
    sys.mount('overlay', '/etc', {
      type: 'overlay',
      data: `lowerdir=/etc,upperdir=${upper}/upper,workdir=${upper}/work`,
    });
    try {
      // What Podman's package brings is Podman's.
      mkdirSync('/etc/cni/net.d', { recursive: true });
      rmSync('/etc/buildkit', { recursive: true, force: true });
      mkdirSync('/etc/buildkit');
      const plugins = [{ type: 'loopback' }, { type: 'tuning', sysctl: { 'net.core.somaxconn': '517' } }];
      const config = JSON.stringify({ cniVersion: '0.4.0', name: 'e2e', plugins });
      writeFileSync('/etc/cni/net.d/10-e2e.conflist', config);
      assert.ok(!networkKinds(undefined).includes('cni'));
      writeFileSync('/etc/buildkit/cni.json', config);
      assert.deepEqual(networkKinds(undefined)[0], 'cni');
      assert.ok(!networkKinds('range').includes('cni'));
      using workspace = openWorkspace(join(folder, 'cni'), systemRandom);
      const network = openNetwork('cni', { workspace });
      const path = await pathOf(network);
      assert.equal(inside(path, 'cat', '/proc/sys/net/core/somaxconn'), '517\n');
      assert.match(inside(path, 'cat', '/proc/net/if_inet6'), / lo$/m);
      assert.ok(existsSync(join(workspace.folder, 'cni.json')));
      await network[Symbol.asyncDispose]();
      assert.ok(!readFileSync('/proc/self/mountinfo', 'utf8').includes(path));

      writeFileSync(
        '/etc/buildkit/cni.json',
        JSON.stringify({ cniVersion: '0.4.0', name: 'e2e', plugins: [{ type: 'tuning', sysctl: { 'no.such': '1' } }] }),
      );
      const broken = openNetwork('cni', { workspace });
      await assert.rejects(
        broken.open('default'),
        (error) => hasCode(error, 'NETWORK_FAILED') && /tuning/.test(error.message),
      );
      await broken[Symbol.asyncDispose]();
      writeFileSync(
        '/etc/buildkit/cni.json',
        JSON.stringify({ cniVersion: '0.4.0', name: 'e2e', plugins: [{ type: 'no-such-plugin' }] }),
      );
      assert.notEqual(networkKinds(undefined)[0], 'cni');
    } finally {
      sys.umount('/etc', sys.MNT_DETACH);
    }
  },
);
