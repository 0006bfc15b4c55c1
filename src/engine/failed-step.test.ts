import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CodedError, kindOf } from '../base/index.ts';
import type { FailedStep } from '../worker/index.ts';
import { EngineRig } from './engine-rig.suite.ts';

const Dockerfile = `FROM scratch AS slow
RUN wait never
FROM scratch AS bad
WORKDIR /w
RUN wait slow && write /left here && exit 7
FROM scratch
COPY --from=slow / /
COPY --from=bad / /
`;

/** Runs a script in a failed step and gives what it said. */
async function said(step: FailedStep, script: string): Promise<string> {
  const out: Uint8Array[] = [];
  const code = await step.run({
    args: ['/bin/sh', '-c', script],
    stdout: (chunk) => void out.push(chunk),
    stderr: () => undefined,
  });
  assert.equal(code, 0);
  return Buffer.concat(out).toString();
}

test('a failed step is looked at when nothing else runs, with its root as it left it; nothing done there is kept or told', async () => {
  await using rig = await EngineRig.open();
  void rig.ground.reached('never').then(() => rig.ground.pass('slow'));
  let looked = 0;
  const failed = async (step: FailedStep): Promise<void> => {
    looked += 1;
    assert.deepEqual([...rig.ground.running], []);
    assert.match(step.name, /^\[bad 2\/2\] RUN wait slow/);
    assert.match(step.failure.message, /exit code: 7$/);
    assert.deepEqual(await step.shell(), ['/bin/sh']);
    assert.equal(await said(step, 'cat /left; write /looked x'), 'here\n');
    assert.equal(await said(step, 'cat /looked'), 'x\n');
  };
  const built = await rig.build({ Dockerfile }, { failed });
  assert.equal(looked, 1);
  assert.ok(built.error instanceof CodedError);
  assert.deepEqual([built.error.code, built.error.place?.line], ['STEP_FAILED', 5]);
  assert.doesNotMatch(built.log, /here/);
  const ends = built.events.flatMap((event) => (event.kind === 'completed' && event.error ? [event.cancelled] : []));
  assert.deepEqual(ends, [true, false]);
  // The same step again finds nothing of what was written there.
  rig.ground.pass('never');
  const again = await rig.build({ Dockerfile }, { failed: async (step) => assert.rejects(said(step, 'cat /looked')) });
  assert.equal((again.error as CodedError).code, 'STEP_FAILED');
  assert.deepEqual([...rig.ground.running], []);
});

test('a build that is interrupted while somebody looks is cancelled', async () => {
  await using rig = await EngineRig.open();
  const stop = new AbortController();
  const built = await rig.build(
    { Dockerfile: 'FROM scratch\nRUN exit 7\n' },
    {
      signal: stop.signal,
      failed: async (step, w) => {
        const running = step.run(
          { args: ['sh', '-c', 'wait ever'], stdout: () => undefined, stderr: () => undefined },
          w,
        );
        await rig.ground.reached('ever');
        stop.abort();
        await running;
      },
    },
  );
  assert.equal(kindOf(built.error), 'cancelled');
  assert.deepEqual([...rig.ground.running], []);
});

test('trouble with looking is a note; the build ends with the failure of the step', async () => {
  await using rig = await EngineRig.open();
  const built = await rig.build(
    { Dockerfile: 'FROM scratch\nRUN exit 7\n' },
    { failed: () => Promise.reject(new Error('no terminal')) },
  );
  assert.equal((built.error as CodedError).code, 'STEP_FAILED');
  const notes = built.events.flatMap((event) => (event.kind === 'note' ? [event.text] : []));
  assert.deepEqual(notes, ['look at the failed step: no terminal']);
});
