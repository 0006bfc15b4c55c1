import { closeSync, constants, fstatSync, openSync } from 'node:fs';
import { hasErrno, sys } from '../base/index.ts';
import type { TerminalSize } from './executor.ts';

/** Gives the terminal at a process's /dev/console its size. Nothing happens when it has put something else there, or is gone. */
export function resizeConsole(pid: number, size: TerminalSize): void {
  try {
    const root = openSync(`/proc/${pid}/root`, O_PATH);
    try {
      const found = sys.openInRoot(root, 'dev/console', O_PATH);
      try {
        // To open any other device could do something.
        const stats = fstatSync(found);
        const { major } = sys.splitDevice(stats.rdev);
        if (!stats.isCharacterDevice() || major < FIRST_SLAVE || major > LAST_SLAVE) return;
        const console = openSync(
          `/proc/self/fd/${found}`,
          constants.O_RDWR | constants.O_NOCTTY | constants.O_NONBLOCK,
        );
        try {
          sys.setWindowSize(console, size);
        } finally {
          closeSync(console);
        }
      } finally {
        closeSync(found);
      }
    } finally {
      closeSync(root);
    }
  } catch (error) {
    if (!hasErrno(error, 'ENOENT', 'ESRCH', 'EACCES', 'EIO', 'ENOTDIR', 'ELOOP', 'ENXIO')) throw error;
  }
}

const O_PATH = 0o10000000;
/** UNIX98_PTY_SLAVE_MAJOR to the last of them (include/uapi/linux/major.h). */
const FIRST_SLAVE = 136;
const LAST_SLAVE = 143;
