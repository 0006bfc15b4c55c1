import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseModuleDescriptor } from './descriptor.ts';
import { completeTarget, describeTarget, parseOsRelease, targetMatches, targetsOf } from './target.ts';
import type { ImageTarget, ModuleKind, Target } from './types.ts';

const base = (over: Partial<ImageTarget> = {}): ImageTarget => ({ os: 'linux', arch: 'amd64', variant: '', ...over });
const target = (over: Partial<Target> = {}): Target => ({ os: '', arch: '', variant: '', distros: [], ...over });
const ubuntu = { name: 'ubuntu', version: '24.04' };

test('a target matches a base image', () => {
  const cases: readonly [ImageTarget, Target, boolean][] = [
    [base(), target(), true],
    [base(), target({ os: 'linux', arch: 'amd64' }), true],
    [base(), target({ os: 'windows' }), false],
    [base(), target({ arch: 'arm64' }), false],
    [base({ variant: 'v7' }), target({ variant: 'v6' }), false],
    [base(), target({ variant: 'v6' }), true],
    [base({ os: '', arch: '' }), target({ os: 'linux', arch: 'arm64' }), true],
    [base({ distro: ubuntu }), target({ distros: [ubuntu] }), true],
    [
      base({ distro: ubuntu }),
      target({
        distros: [
          { name: 'debian', version: '' },
          { name: 'ubuntu', version: '' },
        ],
      }),
      true,
    ],
    [base({ distro: ubuntu }), target({ distros: [{ name: 'ubuntu', version: '22.04' }] }), false],
    [
      base({ distro: { name: 'ubuntu', version: '' } }),
      target({ distros: [{ name: 'ubuntu', version: '22.04' }] }),
      true,
    ],
    [base(), target({ distros: [ubuntu] }), false],
  ];
  for (const [image, of, expected] of cases)
    assert.equal(targetMatches(image, of), expected, `${describeTarget(image)} / ${describeTarget(of)}`);
});

test('a module without targets has those that its stacks or its programs stand for', () => {
  const of = (text: string, programs: readonly string[], kind: ModuleKind = 'buildpack'): readonly Target[] =>
    targetsOf(
      parseModuleDescriptor(`api = "0.10"\n[${kind}]\nid = "x"\nversion = "1.0.0"\n${text}`, { kind, file: 'f' }),
      programs,
    );
  assert.deepEqual(of('[[targets]]\nos = "linux"\narch-variant = "v8"', ['build']), [
    target({ os: 'linux', variant: 'v8' }),
  ]);
  assert.deepEqual(of('', ['build', 'detect']), [target({ os: 'linux' })]);
  assert.deepEqual(of('', ['build', 'build.exe']), [target({ os: 'linux' }), target({ os: 'windows' })]);
  assert.deepEqual(of('', []), []);
  assert.deepEqual(of('[[stacks]]\nid = "*"', ['build']), [target()]);
  assert.deepEqual(of('[[stacks]]\nid = "io.buildpacks.stacks.bionic"', ['build']), [
    target({ os: 'linux', arch: 'amd64', distros: [{ name: 'ubuntu', version: '18.04' }] }),
  ]);
  assert.deepEqual(of('[[stacks]]\nid = "other"', ['build']), [target({ os: 'linux' })]);
  assert.deepEqual(of('', ['generate'], 'extension'), [target({ os: 'linux' })]);
});

test('os-release gives name and version of the distribution', () => {
  assert.deepEqual(parseOsRelease('NAME="Debian"\nID=debian\nVERSION_ID="12"\n'), { name: 'debian', version: '12' });
  assert.deepEqual(parseOsRelease("ID='arch'\n"), { name: 'arch', version: '' });
  assert.equal(parseOsRelease('NAME=x\n'), undefined);
});

test('a target is completed from the build container, and never written over', () => {
  const osRelease = 'ID=debian\nVERSION_ID=12\n';
  const none = { os: '', arch: '', variant: '' };
  assert.deepEqual(completeTarget(none, { osRelease, arch: 'arm64' }), {
    os: 'linux',
    arch: 'arm64',
    variant: '',
    distro: { name: 'debian', version: '12' },
  });
  assert.deepEqual(completeTarget(base({ distro: ubuntu }), { osRelease, arch: 'arm64' }), base({ distro: ubuntu }));
  assert.equal(completeTarget(base({ os: 'windows' }), { osRelease }).distro, undefined);
  assert.deepEqual(completeTarget(base(), {}), base());
});
