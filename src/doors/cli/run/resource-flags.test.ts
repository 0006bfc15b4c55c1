import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hasCode } from '../../../base/index.ts';
import type { RunFlags } from './flags.ts';
import { resourcesOf } from './resource-flags.ts';

const read = (flags: Partial<RunFlags>): ReturnType<typeof resourcesOf> => resourcesOf(flags as RunFlags);

test('limits, as docker run writes them', () => {
  assert.deepEqual(read({}), {
    limits: undefined,
    privileges: undefined,
    privileged: undefined,
    ulimits: undefined,
    shmSize: undefined,
  });
  const { limits, ulimits, shmSize } = read({
    memory: '512m',
    memorySwap: '-1',
    cpus: '1.5',
    cpuShares: '512',
    cpusetCpus: '0-2,7',
    pidsLimit: '100',
    ulimit: ['nofile=1024:2048', 'core=-1'],
    shmSize: '1g',
  });
  assert.deepEqual(limits, {
    memory: 512 << 20,
    memorySwap: -1,
    cpuShares: 512,
    cpuPeriod: 100_000,
    cpuQuota: 150_000,
    cpusetCpus: '0-2,7',
    pids: 100,
  });
  assert.deepEqual(ulimits, [
    { name: 'nofile', soft: 1024, hard: 2048 },
    { name: 'core', soft: -1, hard: -1 },
  ]);
  assert.equal(shmSize, 1 << 30);
  assert.equal(read({ pidsLimit: '-1' }).limits, undefined);
});

test('what a container may do', () => {
  const { privileges, privileged } = read({
    capAdd: ['sys_ptrace', 'CAP_NET_ADMIN'],
    capDrop: ['all'],
    securityOpt: ['no-new-privileges:true', 'seccomp=unconfined', 'apparmor=unconfined'],
    privileged: true,
  });
  assert.deepEqual(privileges, {
    add: ['CAP_SYS_PTRACE', 'CAP_NET_ADMIN'],
    drop: ['ALL'],
    noNewPrivileges: true,
    noSeccomp: true,
  });
  assert.equal(privileged, true);
});

test('what cannot be read is said', () => {
  const wrong: readonly Partial<RunFlags>[] = [
    { memory: '1k' },
    { memory: 'much' },
    { memorySwap: '1g' },
    { memory: '1g', memorySwap: '512m' },
    { cpus: '0' },
    { cpus: '1,5' },
    { cpuShares: '1' },
    { cpusetCpus: '0-' },
    { pidsLimit: '-2' },
    { ulimit: ['nofile'] },
    { ulimit: ['files=1'] },
    { ulimit: ['nofile=2:1'] },
    { ulimit: ['nofile=-1:5'] },
    { capAdd: ['flying'] },
    { securityOpt: ['seccomp=profile.json'] },
  ];
  for (const flags of wrong)
    assert.throws(
      () => read(flags),
      (error) => hasCode(error, 'USAGE'),
      JSON.stringify(flags),
    );
});
