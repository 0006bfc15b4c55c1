import assert from 'node:assert/strict';
import { utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { BASE, storeWithBase } from '../lib/store.ts';
import { ok, stepsOf } from '../lib/strake.ts';

const DOCKERFILE = `FROM ${BASE} AS build
WORKDIR /src
COPY first.txt .
RUN cat first.txt > first.out
COPY second.txt .
RUN cat second.txt > second.out
FROM ${BASE}
COPY --from=build /src/first.out /src/second.out /
CMD ["cat", "/second.out"]
`;

describe('rebuilding (must show 4)', () => {
  test('nothing changed: nothing runs, the same digest; one file changed: its COPY and what follows; mtimes and unread files change nothing', async () => {
    using store = await storeWithBase();
    const at = (name: string): string => join(store.work, name);
    writeFileSync(at('Dockerfile'), DOCKERFILE);
    writeFileSync(at('first.txt'), 'one\n');
    writeFileSync(at('second.txt'), 'two\n');
    writeFileSync(at('unread.txt'), 'nobody reads this\n');
    const build = async (): Promise<{ id: string; steps: Map<string, string> }> => {
      const { stdout, stderr } = await ok(['build', '--progress=plain', '-t', 'rebuilt', store.work], {
        root: store.root,
      });
      return { id: stdout.trim(), steps: stepsOf(stderr) };
    };
    const stepStates = (steps: Map<string, string>): string[] =>
      [...steps]
        .filter(([name]) => /^\[(build|stage)/.test(name))
        .map(([name, state]) => `${name.split(' ').slice(2).join(' ').slice(0, 24)}: ${state}`);

    const first = await build();
    assert.match(first.id, /^sha256:[0-9a-f]{64}$/);
    const again = await build();
    assert.equal(again.id, first.id);
    for (const state of stepStates(again.steps)) assert.match(state, /CACHED/, state);

    utimesSync(at('first.txt'), 1_000_000_000, 1_000_000_000);
    writeFileSync(at('unread.txt'), 'still nobody\n');
    const touched = await build();
    assert.equal(touched.id, first.id);
    for (const state of stepStates(touched.steps)) assert.match(state, /CACHED/, state);

    writeFileSync(at('second.txt'), 'changed\n');
    const changed = await build();
    assert.notEqual(changed.id, first.id);
    const states = Object.fromEntries(
      [...changed.steps].map(([name, state]) => [name.replace(/^\[\S+ \S+\] /, ''), state]),
    );
    assert.equal(states['COPY second.txt .'], 'DONE');
    assert.equal(states['RUN cat second.txt > second.out'], 'DONE');
    assert.match(states['COPY first.txt .'] ?? '', /CACHED/);
    assert.match(states['RUN cat first.txt > first.out'] ?? '', /CACHED/);
    assert.equal(states['COPY --from=build /src/first.out /src/second.out /'], 'DONE');
  });
});
