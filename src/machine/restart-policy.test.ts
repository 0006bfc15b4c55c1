import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hasCode } from '../base/index.ts';
import { nextDelay, parseRestart, restartText, startsAgain } from './restart-policy.ts';

test('policies are read as Docker writes them', () => {
  for (const text of ['no', 'always', 'unless-stopped', 'on-failure', 'on-failure:3'])
    assert.equal(restartText(parseRestart(text)), text);
  assert.deepEqual(parseRestart('on-failure:0'), { kind: 'on-failure' });
  for (const text of ['', 'never', 'always:3', 'on-failure:', 'on-failure:-1', 'no '])
    assert.throws(
      () => parseRestart(text),
      (error) => hasCode(error, 'RUN_INVALID'),
      text,
    );
});

test('who is started again, and how often', () => {
  const again = (text: string, code: number, restarts = 0): boolean =>
    startsAgain(parseRestart(text), { code, restarts });
  assert.deepEqual([again('no', 1), again('always', 0), again('unless-stopped', 0)], [false, true, true]);
  assert.deepEqual([again('on-failure', 0), again('on-failure', 1, 1000)], [false, true]);
  assert.deepEqual([again('on-failure:2', 1, 1), again('on-failure:2', 1, 2)], [true, false]);
});

test('the wait doubles up to a minute, and begins anew after a good run', () => {
  const waits: number[] = [];
  let delay: number | undefined;
  for (let i = 0; i < 12; i++) waits.push((delay = nextDelay(delay, 50)));
  assert.deepEqual(waits.slice(0, 4), [100, 200, 400, 800]);
  assert.equal(waits.at(-1), 60_000);
  assert.equal(nextDelay(60_000, 10_000), 100);
});
