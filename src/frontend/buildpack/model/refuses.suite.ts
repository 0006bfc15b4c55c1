import assert from 'node:assert/strict';
import { CodedError, hasCode } from '../../../base/index.ts';

/** The call must refuse the text, at this line, with these words. */
export function refuses(call: () => unknown, line: number | undefined, words: string): void {
  assert.throws(call, (error) => {
    assert.ok(error instanceof CodedError && hasCode(error, 'CNB_FILE_INVALID'), String(error));
    assert.equal(error.place?.line, line, error.message);
    assert.ok(error.message.includes(words), error.message);
    return true;
  });
}
