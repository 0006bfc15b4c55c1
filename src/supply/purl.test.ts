import assert from 'node:assert/strict';
import { test } from 'node:test';
import { imagePurl, purl } from './purl.ts';

const platform = { os: 'linux', architecture: 'arm64', variant: 'v8' };
const digest = `sha256:${'ab'.repeat(32)}` as const;

test('images are named as BuildKit names them', () => {
  // Seen in provenance of Docker 28.
  const names: readonly (readonly [string, string])[] = [
    [imagePurl('docker', 'docker.io/library/debian:bookworm', { platform }), 'debian@bookworm?platform=linux%2Farm64'],
    [imagePurl('docker', 'x/y'), 'x/y@latest'],
    [
      imagePurl('docker', `127.0.0.1:5000/library/debian:bookworm@${digest}`, { platform }),
      `127.0.0.1:5000/library/debian@bookworm?digest=${digest}&platform=linux%2Farm64`,
    ],
    [imagePurl('docker', `reg.example/team/app@${digest}`), `reg.example/team/app?digest=${digest}`],
  ];
  for (const [found, wanted] of names) assert.equal(found, `pkg:docker/${wanted}`);
});

test('versions and qualifiers are escaped, empty ones left out', () => {
  const found = purl({
    type: 'deb',
    namespace: 'debian',
    name: 'g++',
    version: '4:12.2.0-3+b1~x',
    qualifiers: { distro: 'debian-12', arch: 'amd64', epoch: '' },
  });
  assert.equal(found, 'pkg:deb/debian/g%2B%2B@4:12.2.0-3%2Bb1~x?arch=amd64&distro=debian-12');
});
