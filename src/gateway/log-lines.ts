/** Bytes of a line that is shown as one. */
const LIMIT = 8192;

/** Output of a process, shown line by line. */
export class LogLines {
  /** The last line that says something. */
  last = '';
  readonly #say: (line: string) => void;
  readonly #decoder = new TextDecoder();
  #rest = '';

  constructor(say: (line: string) => void) {
    this.#say = say;
  }

  push(chunk: Uint8Array): void {
    const lines = (this.#rest + this.#decoder.decode(chunk, { stream: true })).split('\n');
    this.#rest = lines.pop() ?? '';
    for (const line of lines) this.#tell(line);
    if (this.#rest.length > LIMIT) this.end();
  }

  end(): void {
    if (this.#rest !== '') this.#tell(this.#rest);
    this.#rest = '';
  }

  #tell(line: string): void {
    const text = line.replace(/\r$/, '');
    if (text.trim() !== '') this.last = text.trim().slice(0, 500);
    this.#say(text);
  }
}
