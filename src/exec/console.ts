import { closeSync, constants, fstatSync, openSync } from 'node:fs';
import { hasErrno, sys } from '../base/index.ts';
import type { TerminalSize } from './process.ts';

/** Gives the terminal at a process's /dev/console its size. Nothing happens when it has put something else there, or is gone. */
export function resizeConsole(pid: number, size: TerminalSize): void {
  unlessGone(() => {
    const root = openSync(`/proc/${pid}/root`, O_PATH);
    try {
      resize(sys.openInRoot(root, 'dev/console', O_PATH), size);
    } finally {
      closeSync(root);
    }
  });
}

/** Gives the terminal that is a process's standard input its size. Nothing happens when that is none. */
export function resizeInput(pid: number, size: TerminalSize): void {
  unlessGone(() => resize(openSync(`/proc/${pid}/fd/0`, O_PATH), size));
}

/** Closes `found`. */
function resize(found: number, size: TerminalSize): void {
  try {
    // To open any other device could do something.
    const stats = fstatSync(found);
    const { major } = sys.splitDevice(stats.rdev);
    if (!stats.isCharacterDevice() || major < FIRST_SLAVE || major > LAST_SLAVE) return;
    const terminal = openSync(`/proc/self/fd/${found}`, constants.O_RDWR | constants.O_NOCTTY | constants.O_NONBLOCK);
    try {
      sys.setWindowSize(terminal, size);
    } finally {
      closeSync(terminal);
    }
  } finally {
    closeSync(found);
  }
}

function unlessGone(work: () => void): void {
  try {
    work();
  } catch (error) {
    if (!hasErrno(error, 'ENOENT', 'ESRCH', 'EACCES', 'EPERM', 'EIO', 'ENOTDIR', 'ELOOP', 'ENXIO')) throw error;
  }
}

const O_PATH = 0o10000000;
/** UNIX98_PTY_SLAVE_MAJOR to the last of them (include/uapi/linux/major.h). */
const FIRST_SLAVE = 136;
const LAST_SLAVE = 143;
