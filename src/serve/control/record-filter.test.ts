import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { StoreRecord } from '../../engine/index.ts';
import { bytesToKeep } from './disk-usage.ts';
import { recordFilter } from './record-filter.ts';

const record: StoreRecord = {
  id: 'sha256:abc',
  kind: 'source.local',
  of: 'result',
  bytes: 1,
  description: 'local source for context, x',
  parents: ['p1', 'p2'],
  inUse: false,
  mutable: true,
  shared: false,
};

for (const [filters, fits] of [
  [['type==source.local'], true],
  [['type=source.local'], true],
  [['type==regular'], false],
  [['type==regular', 'id~=^sha256:a'], true],
  [['type==source.local,mutable,inuse!=true'], true],
  [['type==source.local,immutable'], false],
  [['inuse==0,private==1'], true],
  [['shared'], false],
  [['parents==p2'], true],
  [['parents!=p2'], false],
  [['description=="local source for context, x"'], true],
  [['description~="context, [xyz]$"'], true],
  [['id~=(a+)+$,type!=regular'], false],
] as const)
  test(`records that fit ${filters.join(' or ')}`, () => assert.equal(recordFilter(filters)?.(record), fits));

test('nothing asked, and what is no filter', () => {
  assert.equal(recordFilter([]), undefined);
  assert.equal(recordFilter([' ', '']), undefined);
  assert.throws(() => recordFilter(['size==3']), /there is no field "size"/);
  assert.throws(() => recordFilter(['constructor==3']), /there is no field "constructor"/);
  assert.throws(() => recordFilter(['=3']), /not of the form field==value/);
  assert.throws(() => recordFilter(['id~=(']), /read filter "id~=\("/);
});

test('what may stay, of what is used, reserved and to be free', () => {
  const keep = (most: number, reserved: number, free: number, disk = { total: 100, free: 20 }): number | undefined =>
    bytesToKeep({ maxUsedSpace: BigInt(most), reservedSpace: BigInt(reserved), minFreeSpace: BigInt(free) }, disk);
  assert.equal(keep(0, 0, 0), undefined);
  assert.equal(keep(50, 0, 0), 50);
  assert.equal(keep(50, 70, 0), 70);
  assert.equal(keep(0, 0, 30), 90);
  assert.equal(keep(80, 0, 50), 70);
  assert.equal(keep(0, 0, 10), Infinity);
});
