import assert from 'node:assert/strict';
import { test } from 'node:test';
import { STEP_CAPABILITIES } from './capabilities.ts';
import { runtimeSpec, specJson, type SpecOptions } from './spec.ts';
import type { Process } from './process.ts';

const step: Process = {
  id: 'step-1',
  args: ['/bin/sh', '-c', 'true'],
  env: ['PATH=/bin'],
  cwd: '/src',
  user: { uid: 7, gid: 8, additionalGids: [9] },
  hostname: 'buildkitsandbox',
  network: 'default',
  security: 'sandbox',
  extraHosts: [],
  ulimits: [],
  shmSize: 0,
  mounts: [],
};
const options: SpecOptions = {
  rootfs: '/b/rootfs',
  resolvConf: '/b/resolv.conf',
  hosts: '/b/hosts',
  mounts: [],
  network: { kind: 'path', path: '/run/net' },
  cgroupsPath: '/strake/step-1',
  cgroup2: true,
  seccomp: true,
  hardLimits: new Map([['nofile', 4096]]),
  allCapabilities: ['CAP_SYS_ADMIN'],
};
const destinations = (s: ReturnType<typeof runtimeSpec>): string[] => s.mounts.map((mount) => mount.destination);

test('limits are those of the runtime configuration', () => {
  const limits = { memory: 1 << 20, memorySwap: -1, cpuShares: 5, cpuPeriod: 6, cpuQuota: 7, cpusetCpus: '0-1' };
  const { resources } = runtimeSpec({ ...step, limits }, options).linux;
  assert.deepEqual(JSON.parse(JSON.stringify(resources)), {
    devices: [{ allow: false, access: 'rwm' }],
    memory: { limit: 1 << 20, swap: -1 },
    cpu: { shares: 5, period: 6, quota: 7, cpus: '0-1' },
  });
  const alone = runtimeSpec({ ...step, limits: { memory: 5 } }, options).linux.resources;
  assert.deepEqual(JSON.parse(JSON.stringify(alone?.memory)), { limit: 5 });
  assert.equal(alone?.cpu, undefined);
});

test("a step has BuildKit's view", () => {
  const spec = runtimeSpec(step, options);
  assert.deepEqual(spec.process.user, { uid: 7, gid: 8, additionalGids: [9] });
  assert.equal(spec.process.noNewPrivileges, false);
  assert.deepEqual(spec.process.capabilities, {
    bounding: STEP_CAPABILITIES,
    permitted: STEP_CAPABILITIES,
    effective: STEP_CAPABILITIES,
  });
  assert.equal(STEP_CAPABILITIES.length, 14);
  assert.equal('rlimits' in spec.process, false);
  assert.deepEqual(destinations(spec), [
    '/proc',
    '/dev',
    '/dev/pts',
    '/dev/shm',
    '/dev/mqueue',
    '/sys',
    '/etc/resolv.conf',
    '/etc/hosts',
    '/sys/fs/cgroup',
  ]);
  assert.deepEqual(spec.linux.namespaces, [
    { type: 'pid' },
    { type: 'ipc' },
    { type: 'uts' },
    { type: 'mount' },
    { type: 'network', path: '/run/net' },
    { type: 'cgroup' },
  ]);
  assert.deepEqual(spec.linux.resources, { devices: [{ allow: false, access: 'rwm' }] });
  assert.equal(spec.linux.cgroupsPath, '/strake/step-1');
  assert.ok(spec.linux.maskedPaths.includes('/proc/kcore'));
  assert.ok(spec.linux.readonlyPaths.includes('/proc/sys'));
  assert.equal(spec.linux.seccomp?.defaultAction, 'SCMP_ACT_ERRNO');
});

test("a later mount takes an earlier one's place", () => {
  const own = { destination: '/dev/shm', type: 'tmpfs', source: 'tmpfs', options: ['size=1'] };
  const spec = runtimeSpec(step, { ...options, mounts: [own] });
  assert.equal(destinations(spec).indexOf('/dev/shm'), 3);
  assert.deepEqual(spec.mounts[3], own);
  const shm = runtimeSpec({ ...step, shmSize: 128 << 20 }, options).mounts[3];
  assert.ok(shm?.options.includes('size=134217728'));
});

test('no limit goes above the own hard limit, and no limit at all is written exactly', () => {
  const spec = runtimeSpec(
    {
      ...step,
      ulimits: [
        { name: 'nofile', soft: 100_000, hard: 200_000 },
        { name: 'core', soft: 0, hard: -1 },
      ],
    },
    options,
  );
  assert.deepEqual(spec.process.rlimits, [
    { type: 'RLIMIT_NOFILE', soft: 4096, hard: 4096 },
    { type: 'RLIMIT_CORE', soft: 0, hard: Infinity },
  ]);
  assert.match(specJson(spec), /"type":"RLIMIT_CORE","soft":0,"hard":18446744073709551615}/);
});

test('in a user namespace /sys, devices and cgroups go', () => {
  const spec = runtimeSpec(step, { ...options, rootless: 'single', network: { kind: 'host' } });
  assert.deepEqual(
    destinations(spec).filter((path) => path.startsWith('/sys')),
    [],
  );
  assert.equal(spec.linux.resources, undefined);
  assert.equal(spec.linux.cgroupsPath, undefined);
  assert.equal(
    spec.mounts.some((mount) => mount.options.includes('gid=5')),
    false,
  );
  assert.deepEqual(
    spec.linux.namespaces.map((namespace) => namespace.type),
    ['pid', 'ipc', 'uts', 'mount'],
  );
});

test('an insecure step has everything', () => {
  const spec = runtimeSpec({ ...step, security: 'insecure' }, { ...options, loopDevices: 2 });
  assert.deepEqual(spec.process.capabilities['ambient'], ['CAP_SYS_ADMIN']);
  assert.equal(spec.linux.seccomp, undefined);
  assert.deepEqual(spec.linux.maskedPaths, []);
  assert.ok(spec.mounts.find((mount) => mount.destination === '/sys')?.options.includes('rw'));
  assert.ok(spec.linux.devices?.some((device) => device.path === '/dev/loop1'));
});

test('privileges of its own: capabilities, the filter that goes with them, what is open', () => {
  const privileges = { add: ['CAP_SYS_ADMIN'], drop: ['CAP_CHOWN'], noNewPrivileges: true };
  const spec = runtimeSpec({ ...step, privileges }, options);
  const bounding = spec.process.capabilities['bounding'] ?? [];
  assert.deepEqual([bounding.includes('CAP_SYS_ADMIN'), bounding.includes('CAP_CHOWN')], [true, false]);
  assert.equal(spec.process.noNewPrivileges, true);
  const allowed = (name: string, of: typeof spec): boolean =>
    of.linux.seccomp?.syscalls.some(
      ({ names, action, args }) => names.includes(name) && action === 'SCMP_ACT_ALLOW' && !args,
    ) ?? true;
  assert.deepEqual([allowed('mount', spec), allowed('mount', runtimeSpec(step, options))], [true, false]);
  const open = runtimeSpec({ ...step, privileges: { noSeccomp: true, openSystemPaths: true } }, options);
  assert.deepEqual([open.linux.seccomp, open.linux.maskedPaths, open.linux.readonlyPaths], [undefined, [], []]);
  assert.deepEqual(open.process.capabilities['bounding'], STEP_CAPABILITIES);
  const limited = runtimeSpec({ ...step, limits: { pids: 9 } }, options).linux.resources;
  assert.deepEqual(JSON.parse(JSON.stringify(limited?.pids)), { limit: 9 });
});
