import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CodedError } from '../base/index.ts';
import { SharedWork } from './shared-work.ts';

const failure = (kind: 'denied' | 'cancelled'): CodedError => new CodedError({ code: 'X', kind, message: kind });

test('the first caller giving up does not end the work of the second', async () => {
  const shared = new SharedWork<string>();
  const finish = Promise.withResolvers<string>();
  const first = new AbortController();
  let aborted = false;
  const work = (w: { signal: AbortSignal }): Promise<string> => {
    w.signal.addEventListener('abort', () => (aborted = true));
    return finish.promise;
  };
  const one = assert.rejects(shared.run('k', work, { signal: first.signal }), { kind: 'cancelled' });
  const two = shared.run('k', () => assert.fail('begun twice'));
  first.abort();
  await one;
  finish.resolve('done');
  assert.deepEqual([await two, aborted], ['done', false]);
});

test('the last caller giving up cancels the work and waits for its end; who comes meanwhile begins anew', async () => {
  const shared = new SharedWork<string>();
  const only = new AbortController();
  let ended = false;
  const work = ({ signal }: { signal: AbortSignal }): Promise<string> =>
    new Promise((_resolve, reject) =>
      signal.addEventListener('abort', () =>
        setImmediate(() => {
          ended = true;
          reject(failure('cancelled'));
        }),
      ),
    );
  const cancelled = shared.run('k', work, { signal: only.signal });
  only.abort();
  while (shared.isRunning('k')) await Promise.resolve();
  assert.equal(ended, false);
  const next = shared.run('k', async () => `after ${ended}`);
  await assert.rejects(cancelled, { kind: 'cancelled' });
  assert.equal(ended, true);
  assert.equal(await next, 'after true');
});

test('who joined tries by itself where the failure need not be its own', async () => {
  const shared = new SharedWork<string>();
  const gate = Promise.withResolvers<void>();
  const denied = async (): Promise<string> => {
    await gate.promise;
    throw failure('denied');
  };
  const one = assert.rejects(shared.run('k', denied), { kind: 'denied' });
  const two = shared.run('k', async () => 'allowed', { again: () => true });
  const three = assert.rejects(
    shared.run('k', async () => 'never'),
    { kind: 'denied' },
  );
  gate.resolve();
  await Promise.all([one, three]);
  assert.equal(await two, 'allowed');
});
