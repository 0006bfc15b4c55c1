import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Database, hasCode, systemClock, systemRandom } from '../../base/index.ts';
import type { Session } from '../session.ts';
import { GitRunner } from './git-runner.ts';

test('who asks from elsewhere gets no repository of this machine', async () => {
  using database = Database.open(':memory:');
  const unused = undefined as never;
  const runner = new GitRunner({
    store: unused,
    database,
    clock: systemClock,
    random: systemRandom,
    scratch: '',
    mirrors: unused,
  });
  for (const url of ['file:///srv/x', 'FILE:///srv/x'])
    await assert.rejects(
      runner.resolve({ type: 'git', url }, { session: { host: { elsewhere: true } } as unknown as Session }),
      (error) => hasCode(error, 'GIT_DENIED'),
    );
});
