import assert from 'node:assert/strict';
import { test } from 'node:test';
import { memoryTree, unionOf } from '../../tree/index.ts';
import { readPackages } from './read-packages.ts';
import { spdx } from './spdx.ts';

const DEBIAN = {
  'etc/': '',
  'etc/os-release': { type: 'symlink', link: '../usr/lib/os-release' },
  'usr/lib/os-release': 'PRETTY_NAME="Debian GNU/Linux 12"\nVERSION_ID="12"\nID=debian\n',
  'var/lib/dpkg/status':
    'Package: libc6\nStatus: install ok installed\nArchitecture: amd64\nSource: glibc\nVersion: 2.36-9+deb12u10\nDescription: GNU C Library\n Package: not-me\n\n' +
    'Package: gone\nStatus: deinstall ok config-files\nVersion: 1\n\n' +
    'Package: gcc-12-base\nStatus: install ok unpacked\nArchitecture: amd64\nSource: gcc-12 (12.2.0-14)\nVersion: 12.2.0-14+x\n',
  'var/lib/dpkg/status.d/base': 'Package: base-files\nVersion: 12.4\nArchitecture: all\n',
  'var/lib/dpkg/status.d/base.md5sums': 'd41d8cd98f00b204e9800998ecf8427e  etc/x\n',
  'app/node_modules/left-pad/package.json': '{"name":"left-pad","version":"1.3.0","license":"WTFPL"}',
  'app/node_modules/left-pad/lib/package.json': '{"name":"inner","version":"9"}',
  'app/node_modules/@a/b/package.json': '{"name":"@a/b","version":"2.0.0-rc.1"}',
  'app/node_modules/@a/b/node_modules/left-pad/package.json': '{"name":"left-pad","version":"1.3.0"}',
  'app/node_modules/broken/package.json': '{"name":',
  'usr/lib/python3/dist-packages/Zope.Interface-5.5.2.dist-info/METADATA':
    'Metadata-Version: 2.1\nName: zope.interface\nVersion: 5.5.2\nLicense: ZPL 2.1\n\nName: other\nVersion: 1\n',
  'usr/lib/sysimage/rpm/rpmdb.sqlite': 'x',
} as const;

test('packages are those that their managers have on record', async () => {
  const { packages, passedOver } = await readPackages(await unionOf([memoryTree(DEBIAN)]));
  assert.deepEqual(
    packages.map(({ purl, from }) => [purl, from.length]),
    [
      ['pkg:deb/debian/base-files@12.4?arch=all&distro=debian-12', 1],
      ['pkg:deb/debian/gcc-12-base@12.2.0-14%2Bx?arch=amd64&distro=debian-12&upstream=gcc-12%4012.2.0-14', 1],
      ['pkg:deb/debian/libc6@2.36-9%2Bdeb12u10?arch=amd64&distro=debian-12&upstream=glibc', 1],
      ['pkg:npm/%40a/b@2.0.0-rc.1', 1],
      ['pkg:npm/left-pad@1.3.0', 2],
      ['pkg:pypi/zope-interface@5.5.2', 1],
    ],
  );
  assert.deepEqual(passedOver, ['the packages of rpm (/usr/lib/sysimage/rpm)']);
  const alpine = await readPackages(
    await unionOf([
      memoryTree({
        'etc/os-release': 'ID=alpine\nVERSION_ID=3.20.1\n',
        'lib/apk/db/installed':
          'C:Q1x\nP:musl-utils\nV:1.2.5-r0\nA:x86_64\nL:MIT\no:musl\nF:usr\n\nP:musl\nV:1.2.5-r0\nA:x86_64\no:musl\n\n',
      }),
    ]),
  );
  assert.deepEqual(
    alpine.packages.map(({ purl, license }) => [purl, license]),
    [
      ['pkg:apk/alpine/musl-utils@1.2.5-r0?arch=x86_64&distro=alpine-3.20.1&upstream=musl', 'MIT'],
      ['pkg:apk/alpine/musl@1.2.5-r0?arch=x86_64&distro=alpine-3.20.1', undefined],
    ],
  );
});

test('hostile trees cost nothing: endless links, folders for files, nothing at all', async () => {
  const tree = memoryTree({
    'etc/os-release': { type: 'symlink', link: 'os-release' },
    'var/lib/dpkg/status/': '',
    'lib/apk/db/installed': { type: 'symlink', link: '/lib/apk/db' },
    'node_modules/x/package.json/': '',
  });
  assert.deepEqual(await readPackages(await unionOf([tree])), { packages: [], passedOver: [] });
  assert.deepEqual(await readPackages(await unionOf([])), { packages: [], passedOver: [] });
});

test('the document is SPDX 2.3, the same for the same image, and another for another', async () => {
  const list = await readPackages(await unionOf([memoryTree(DEBIAN)]));
  const subject = {
    imageId: `sha256:${'1'.repeat(64)}`,
    platform: { os: 'linux', architecture: 'amd64' },
    created: 1_700_000_000_999,
  } as const;
  const one = spdx(list, subject);
  assert.equal(one.predicateType, 'https://spdx.dev/Document');
  assert.deepEqual(spdx(list, subject).predicate, one.predicate);
  const document = JSON.parse(Buffer.from(one.predicate).toString()) as Document;
  const other = JSON.parse(
    Buffer.from(spdx(list, { ...subject, imageId: `sha256:${'2'.repeat(64)}` }).predicate).toString(),
  ) as Document;
  assert.notEqual(other.documentNamespace, document.documentNamespace);
  assert.deepEqual(
    [document.spdxVersion, document.SPDXID, document.dataLicense, document.creationInfo.created],
    ['SPDX-2.3', 'SPDXRef-DOCUMENT', 'CC0-1.0', '2023-11-14T22:13:20Z'],
  );
  const ids = document.packages.map(({ SPDXID }) => SPDXID);
  assert.equal(new Set(ids).size, ids.length);
  for (const id of ids) assert.match(id, /^SPDXRef-[A-Za-z0-9.-]+$/);
  assert.deepEqual(
    document.relationships.map(({ relatedSpdxElement }) => relatedSpdxElement),
    ids,
  );
  assert.match(document.creationInfo.comment ?? '', /rpm/);
});

interface Document {
  readonly spdxVersion: string;
  readonly SPDXID: string;
  readonly dataLicense: string;
  readonly documentNamespace: string;
  readonly creationInfo: { readonly created: string; readonly comment?: string };
  readonly packages: readonly { readonly SPDXID: string }[];
  readonly relationships: readonly { readonly relatedSpdxElement: string }[];
}
