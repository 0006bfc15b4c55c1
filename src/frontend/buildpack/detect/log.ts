/** A line of a phase's log. */
export interface PhaseLine {
  readonly level: 'debug' | 'info' | 'warn' | 'error';
  readonly text: string;
}

/**
 * Lines of detection, held back until it ends: where it failed they are all said as `info`, so that one sees why (as the lifecycle does).
 */
export class DetectLog {
  readonly #lines: PhaseLine[] = [];

  debug(text: string): void {
    this.#lines.push({ level: 'debug', text });
  }

  info(text: string): void {
    this.#lines.push({ level: 'info', text });
  }

  flush(sink: ((line: PhaseLine) => void) | undefined, o: { failed: boolean }): void {
    for (const line of this.#lines.splice(0)) sink?.(o.failed ? { ...line, level: 'info' } : line);
  }
}
