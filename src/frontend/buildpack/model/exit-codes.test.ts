import assert from 'node:assert/strict';
import { test } from 'node:test';
import { buildpackError } from '../errors.ts';
import { checkBuildpackApi, checkPlatformApi } from './api.ts';
import { exitCodeOf } from './exit-codes.ts';

function thrownBy(call: () => unknown): unknown {
  try {
    call();
  } catch (error) {
    return error;
  }
  return assert.fail('nothing was thrown');
}

test('the exit codes of the lifecycle', () => {
  assert.equal(
    exitCodeOf(
      thrownBy(() => checkPlatformApi('0.1')),
      'analyze',
    ),
    11,
  );
  const module = { kind: 'buildpack', id: 'a', version: '1', api: '0.1' } as const;
  assert.equal(
    exitCodeOf(
      thrownBy(() => checkBuildpackApi(module)),
      'detect',
    ),
    12,
  );
  assert.equal(exitCodeOf(buildpackError('CNB_NOT_DETECTED', 'x'), 'detect'), 20);
  assert.equal(exitCodeOf(buildpackError('CNB_DETECT_FAILED', 'x'), 'detect'), 21);
  assert.equal(exitCodeOf(buildpackError('CNB_MODULE_MISSING', 'x'), 'detect'), 22);
  assert.equal(exitCodeOf(buildpackError('CNB_BUILD_FAILED', 'x'), 'build'), 51);
  assert.equal(exitCodeOf(buildpackError('CNB_FILE_INVALID', 'x'), 'build'), 52);
  const others = { analyze: 32, restore: 42, export: 62, rebase: 72, launch: 82, generate: 92, extend: 102 } as const;
  for (const [phase, code] of Object.entries(others))
    assert.equal(exitCodeOf(new Error('x'), phase as keyof typeof others), code);
});
