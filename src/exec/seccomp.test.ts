import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { STEP_CAPABILITIES } from './capabilities.ts';
import { defaultSeccomp } from './seccomp.ts';

const at = (capabilities: readonly string[], arch = 'x64', kernel = '6.1.0'): Map<string, string> => {
  const said = new Map<string, string>();
  for (const rule of defaultSeccomp({ capabilities, arch, kernel }).syscalls)
    for (const name of rule.names)
      said.set(name, rule.errnoRet === undefined ? (rule.args ? 'some' : 'all') : `errno ${rule.errnoRet}`);
  return said;
};

test('a step: namespaces, mounts and keys are closed, clone3 says it does not exist', () => {
  const step = at(STEP_CAPABILITIES);
  for (const name of ['unshare', 'setns', 'mount', 'umount2', 'keyctl', 'add_key', 'bpf', 'io_uring_setup', 'reboot'])
    assert.equal(step.get(name), undefined, name);
  assert.equal(step.get('clone3'), 'errno 38');
  assert.equal(step.get('clone'), 'some');
  assert.equal(step.get('socket'), 'some');
  assert.equal(step.get('chroot'), 'all');
  assert.equal(step.get('openat2'), 'all');
  const profile = defaultSeccomp({ capabilities: STEP_CAPABILITIES, arch: 'x64', kernel: '6.1.0' });
  assert.equal(profile.defaultErrnoRet, 1);
  assert.deepEqual(profile.architectures, ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86', 'SCMP_ARCH_X32']);
  assert.equal(profile.syscalls.length, 15);
});

test('rules follow capabilities, kernel and architecture', () => {
  const admin = at(['CAP_SYS_ADMIN']);
  assert.equal(admin.get('unshare'), 'all');
  assert.equal(admin.get('clone'), 'all');
  assert.equal(admin.get('clone3'), 'all');
  assert.equal(admin.get('chroot'), undefined);
  assert.equal(at([], 'x64', '4.4.0').get('ptrace'), undefined);
  assert.equal(at([], 'x64', '4.8.0').get('ptrace'), 'all');
  assert.equal(at([], 'x64').get('arch_prctl'), 'all');
  assert.equal(at([], 'arm64').get('arch_prctl'), undefined);
  assert.equal(at([], 'arm64').get('set_tls'), 'all');
  const flags = defaultSeccomp({ capabilities: [], arch: 's390x' }).syscalls.find((rule) => rule.names[0] === 'clone');
  assert.deepEqual(flags?.args, [{ index: 1, value: 0x7e020000, valueTwo: 0, op: 'SCMP_CMP_MASKED_EQ' }]);
});

const PODMAN = '/usr/share/containers/seccomp.json';
/** What Debian's (Podman's) profile lets through without a condition, and Docker's does not. */
const PODMAN_ONLY =
  `get_mempolicy keyctl mbind mount mount_setattr move_mount fsconfig fsmount fsopen fspick open_tree pidfd_getfd pivot_root readdir reboot set_mempolicy setns
  sigaction signal sigpending sigsuspend syscall syslog timerfd umount umount2 unshare clone3`.split(/\s+/);

test(
  'an independent profile lets through what this one does, but for the known differences',
  { skip: existsSync(PODMAN) ? false : `no ${PODMAN} (Debian: golang-github-containers-common)` },
  () => {
    const profile = JSON.parse(readFileSync(PODMAN, 'utf8')) as {
      syscalls: { names: string[]; action: string; includes?: object; excludes?: object }[];
    };
    const step = at(STEP_CAPABILITIES);
    const free = profile.syscalls.filter(
      (rule) =>
        rule.action === 'SCMP_ACT_ALLOW' &&
        Object.keys(rule.includes ?? {}).length === 0 &&
        Object.keys(rule.excludes ?? {}).length === 0,
    );
    const missing = free.flatMap((rule) => rule.names).filter((name) => !step.get(name)?.match(/all|some/));
    assert.deepEqual(missing.filter((name) => !PODMAN_ONLY.includes(name)).sort(), []);
  },
);
