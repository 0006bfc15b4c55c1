import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Database } from '../base/index.ts';
import { Leases, type Digest } from '../blob/index.ts';
import type { BuildHost } from './build-host.ts';
import { openSession, type Session } from './session.ts';

const A: Digest = `sha256:${'a'.repeat(64)}`;
const B: Digest = `sha256:${'b'.repeat(64)}`;

function world(): { session: Session; leases: Leases; ended: () => number } {
  const leases = new Leases(Database.open(':memory:'), { clock: { now: () => 0 } });
  let ended = 0;
  const init = { id: 'x', host: {} as BuildHost, allow: new Set<string>(), insecure: [], codecFor: () => undefined };
  const end = async (): Promise<void> => void (ended += 1);
  return { session: openSession(init, { lease: () => leases.take(), end }), leases, ended: () => ended };
}

test('what a session spares is leased until it has ended and nobody holds it', async () => {
  const { session, leases, ended } = world();
  session.spare(A);
  const held = session.hold();
  await session[Symbol.asyncDispose]();
  await session[Symbol.asyncDispose]();
  session.spare(B);
  assert.deepEqual([leases.isLeased(A), leases.isLeased(B), ended()], [true, true, 0]);
  await held[Symbol.asyncDispose]();
  await held[Symbol.asyncDispose]();
  assert.deepEqual([leases.isLeased(A), leases.count(), ended()], [false, 0, 1]);
});

test('a step that begins after its session ended has a lease again', async () => {
  const { session, leases, ended } = world();
  session.spare(A);
  await session[Symbol.asyncDispose]();
  session.spare(A);
  assert.equal(leases.isLeased(A), false);
  {
    await using held = session.hold();
    void held;
    session.spare(A);
    assert.equal(leases.isLeased(A), true);
  }
  assert.deepEqual([leases.count(), ended()], [0, 2]);
});
