import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hasCode } from '../base/index.ts';
import type { Descriptor, Platform } from '../blob/index.ts';
import { formatPlatform, hostPlatform, matchPlatform, normalizePlatform, parsePlatform } from './platform.ts';

const LINUX: Platform = { os: 'linux', architecture: 'amd64' };

test('platforms are read with their aliases and normalised', () => {
  const cases: readonly (readonly [string, string])[] = [
    ['linux/amd64', 'linux/amd64'],
    ['Linux/X86_64', 'linux/amd64'],
    ['linux/amd64/v1', 'linux/amd64'],
    ['linux/amd64/v3', 'linux/amd64/v3'],
    ['linux/aarch64', 'linux/arm64'],
    ['linux/arm64/v8', 'linux/arm64'],
    ['linux/arm64/8', 'linux/arm64'],
    ['linux/arm64/v9.0', 'linux/arm64/v9'],
    ['linux/arm', 'linux/arm/v7'],
    ['linux/arm/6', 'linux/arm/v6'],
    ['linux/armhf', 'linux/arm/v7'],
    ['linux/armel', 'linux/arm/v6'],
    ['linux/i386', 'linux/386'],
    ['macos/arm64', 'darwin/arm64'],
    ['linux', 'linux/amd64'],
    ['arm64', 'linux/arm64'],
    ['windows(10.0.17763)/amd64', 'windows/amd64'],
  ];
  for (const [text, expected] of cases) assert.equal(formatPlatform(parsePlatform(text, LINUX)), expected, text);
  assert.equal(parsePlatform('windows(10.0.17763)/amd64')['os.version'], '10.0.17763');
  for (const text of ['', 'linux/', 'a/b/c/d', 'li nux/amd64', 'nothing', 'linux/amd64(1)'])
    assert.throws(
      () => parsePlatform(text, LINUX),
      (error) => hasCode(error, 'PLATFORM_INVALID'),
      text,
    );
  assert.throws(() => parsePlatform('linux'), /missing/);
});

test('the platform of this machine is in the words of images', () => {
  assert.deepEqual(hostPlatform({ platform: 'linux', arch: 'x64' }), LINUX);
  assert.deepEqual(hostPlatform({ platform: 'linux', arch: 'arm' }), {
    os: 'linux',
    architecture: 'arm',
    variant: 'v7',
  });
  assert.deepEqual(hostPlatform({ platform: 'win32', arch: 'arm64' }), { os: 'windows', architecture: 'arm64' });
  assert.throws(() => hostPlatform({ platform: 'linux', arch: 'pdp11' }), /pdp11/);
});

let serial = 0;
function member(text: string | undefined, extra: Partial<Descriptor> = {}): Descriptor {
  serial += 1;
  const [os = '', architecture = '', variant] = (text ?? '').split('/');
  return {
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    digest: `sha256:${serial.toString().padStart(64, '0')}`,
    size: 1,
    ...(text === undefined ? {} : { platform: { os, architecture, variant } }),
    ...extra,
  };
}

test('the best member of an index is chosen', () => {
  const cases: readonly (readonly [wanted: string, members: readonly (string | undefined)[], chosen: number])[] = [
    ['linux/amd64', ['linux/arm64', 'linux/amd64'], 1],
    ['linux/amd64', ['linux/amd64', 'linux/amd64'], 0],
    ['linux/amd64', ['linux/amd64/v2', 'linux/amd64'], 1],
    ['linux/amd64/v3', ['linux/amd64', 'linux/amd64/v2', 'linux/amd64/v4'], 1],
    ['linux/arm/v7', ['linux/arm/v5', 'linux/arm/v6'], 1],
    ['linux/arm', ['linux/arm/v6', 'linux/arm/v7', 'linux/arm/v8'], 1],
    ['linux/arm/v6', ['linux/arm/v7'], -1],
    ['linux/arm64', ['linux/arm64/v8'], 0],
    ['linux/arm64/v9', ['linux/arm64/v8.4', 'linux/arm64/v8.2'], 0],
    ['linux/amd64', ['unknown/unknown', 'linux/amd64'], 1],
    ['linux/amd64', ['linux/386', 'windows/amd64'], -1],
    ['linux/amd64', [undefined, 'linux/amd64'], 1],
    ['linux/amd64', ['linux/s390x', undefined], 1],
    ['darwin/arm64', ['linux/arm64', 'darwin/arm64'], 1],
    ['darwin/arm64', ['linux/arm64'], 0],
  ];
  for (const [wanted, texts, chosen] of cases) {
    const members = texts.map((text) => member(text));
    assert.equal(matchPlatform(parsePlatform(wanted), members), members[chosen], `${wanted} of ${texts.join(' ')}`);
  }
  const attestation = member('linux/amd64', { annotations: { 'vnd.docker.reference.type': 'attestation-manifest' } });
  assert.equal(matchPlatform(LINUX, [attestation]), undefined);
});

test('Windows members must share the build of the host', () => {
  const of = (version: string): Descriptor =>
    member(undefined, { platform: { os: 'windows', architecture: 'amd64', 'os.version': version } });
  const members = [of('10.0.17763.1'), of('10.0.20348.2'), of('10.0.20348.1')];
  const wanted = { os: 'windows', architecture: 'amd64', 'os.version': '10.0.20348.1' };
  assert.equal(matchPlatform(wanted, members), members[2]);
  assert.equal(matchPlatform({ ...wanted, 'os.version': '10.0.1.1' }, members), undefined);
});

test('normalising twice changes nothing', () => {
  for (const architecture of ['x86_64', 'arm', 'armhf', 'arm64', 'i386', 'riscv64'])
    for (const variant of [undefined, 'v1', '7', 'V8', 'v9.0']) {
      const once = normalizePlatform({ os: 'Linux', architecture, variant });
      assert.deepEqual(normalizePlatform(once), once);
    }
});
