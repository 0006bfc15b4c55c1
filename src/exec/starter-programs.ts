import { readFileSync, readlinkSync, statSync } from 'node:fs';

/** Programs that start a process and then become it. */
export class StarterPrograms {
  readonly #files: ReadonlySet<string>;

  constructor(paths: readonly string[]) {
    this.#files = new Set(paths.map(fileOf).filter((file) => file !== undefined));
  }

  /** True when a process still is one of them; a runtime may run from a copy of itself in memory. */
  has(pid: number): boolean {
    const exe = `/proc/${pid}/exe`;
    try {
      if (
        readFileSync(`/proc/${pid}/comm`, 'latin1').startsWith('runc:[') ||
        readlinkSync(exe).startsWith('/memfd:runc_cloned')
      )
        return true;
    } catch {
      return true;
    }
    const file = fileOf(exe);
    return file === undefined || this.#files.has(file);
  }
}

function fileOf(path: string): string | undefined {
  try {
    const { dev, ino } = statSync(path);
    return `${dev}:${ino}`;
  } catch {
    return undefined;
  }
}
