import assert from 'node:assert/strict';
import { test } from 'node:test';
import { shellOf } from './failed-step.ts';

test('the shell of a step in shell form, without its options', () => {
  for (const [args, shell] of [
    [['/bin/sh', '-c', 'x'], ['/bin/sh']],
    [['/bin/bash', '-eo', 'pipefail', '-c', 'x'], ['/bin/bash']],
    [['/bin/bash', '-exc', 'x'], ['/bin/bash']],
    [
      ['/usr/bin/env', 'bash', '-c', 'x'],
      ['/usr/bin/env', 'bash'],
    ],
    [
      ['busybox', 'sh', '-c', 'x'],
      ['busybox', 'sh'],
    ],
    [['pwsh', '-NoProfile', '-Command', 'x'], ['pwsh']],
    [['/usr/bin/make'], undefined],
    [['make', 'all'], undefined],
    [['/dev/pipes/EOF'], undefined],
    [['tar', '-x', 'f'], undefined],
    [['-c', 'x'], undefined],
  ] as const)
    assert.deepEqual(shellOf(args), shell);
});
