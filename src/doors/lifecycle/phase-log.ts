import { lifecycleError } from './errors.ts';

const LEVELS = ['debug', 'info', 'warn', 'error'] as const;
type Level = (typeof LEVELS)[number];

/** Lines as the lifecycle writes them (lifecycle log/logger.go): plain on standard output, warnings and errors on standard error. */
export class PhaseLog {
  readonly #o: { readonly out: (text: string) => void; readonly err: (text: string) => void };
  readonly #least: number;

  constructor(o: { level: string; out: (text: string) => void; err: (text: string) => void }) {
    this.#o = o;
    this.#least = LEVELS.indexOf(o.level.toLowerCase() as Level);
    if (this.#least < 0)
      throw lifecycleError('LIFECYCLE_FLAG_INVALID', `parse log level: "${o.level}" is none`, {
        remedy: `Use one of ${LEVELS.join(', ')}.`,
      });
  }

  /** The header of a phase of the creator. */
  phase(name: string): void {
    this.info(`===> ${name}`);
  }

  debug(text: string): void {
    this.say({ level: 'debug', text });
  }

  info(text: string): void {
    this.say({ level: 'info', text });
  }

  warn(text: string): void {
    this.say({ level: 'warn', text });
  }

  say({ level, text }: { readonly level: Level; readonly text: string }): void {
    if (LEVELS.indexOf(level) < this.#least) return;
    const prefix = level === 'warn' ? 'Warning: ' : level === 'error' ? 'ERROR: ' : '';
    (level === 'warn' || level === 'error' ? this.#o.err : this.#o.out)(`${prefix}${text}\n`);
  }
}
