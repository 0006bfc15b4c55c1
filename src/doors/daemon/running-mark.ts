import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { hasErrno } from '../../base/index.ts';
import { ownProcess, stateOfProcess, type ProcessId } from '../../blob/index.ts';
import { daemonError } from './errors.ts';

interface Mark {
  readonly process: ProcessId;
  readonly addresses: readonly string[];
}

/** Says in the store's folder that this daemon serves it; the mark of one that has ended is replaced. Throws `DAEMON_RUNS`. */
export function markRunning(root: string, addresses: readonly string[]): Disposable {
  const path = join(root, 'daemon.json');
  const text = JSON.stringify({ process: ownProcess(), addresses } satisfies Mark);
  for (let attempt = 0; ; attempt++) {
    try {
      writeFileSync(path, text, { flag: 'wx', mode: 0o600 });
      return { [Symbol.dispose]: () => rmSync(path, { force: true }) };
    } catch (error) {
      if (!hasErrno(error, 'EEXIST') || attempt > 3) throw error;
    }
    const mark = readMark(path);
    if (mark && stateOfProcess(mark.process) === 'alive')
      throw daemonError(
        'DAEMON_RUNS',
        `serve the store "${root}": process ${mark.process.pid} serves it at ${mark.addresses.join(', ')}`,
        {
          remedy: 'Use that daemon, or name another folder with --root.',
        },
      );
    rmSync(path, { force: true });
  }
}

function readMark(path: string): Mark | undefined {
  try {
    const mark = JSON.parse(readFileSync(path, 'utf8')) as Mark;
    return typeof mark.process.pid === 'number' ? mark : undefined;
  } catch {
    return undefined;
  }
}
