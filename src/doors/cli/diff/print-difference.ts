import type { ImageDifference } from '../../../engine/index.ts';
import type { Style } from '../print/style.ts';
import { visibleText } from '../progress/text.ts';

/** Prints differences as they come: a heading per part, then a line each: "-" only in the first, "+" only in the second, "~" in both and not the same. */
export class DifferencePrinter {
  readonly #write: (text: string) => void;
  readonly #style: Style;
  readonly #describe: (difference: Extract<ImageDifference, { kind: 'only-a' | 'only-b' }>) => string;
  readonly #counts = new Map<string, number>();
  #heading = '';

  constructor(
    write: (text: string) => void,
    o: {
      style: Style;
      describe: (difference: Extract<ImageDifference, { kind: 'only-a' | 'only-b' }>) => string;
    },
  ) {
    this.#write = write;
    this.#style = o.style;
    this.#describe = o.describe;
  }

  print(difference: ImageDifference): void {
    const { platform, part } = difference;
    const heading = platform === undefined ? part : `${part} of ${platform}`;
    if (heading !== this.#heading) this.#write(`${this.#style.bold(heading)}\n`);
    this.#heading = heading;
    this.#counts.set(part, (this.#counts.get(part) ?? 0) + 1);
    this.#write(difference.part === 'files' ? this.#file(difference) : this.#value(difference));
  }

  /** What differs, in a sentence; undefined when nothing does. */
  summary(): string | undefined {
    if (this.#counts.size === 0) return undefined;
    return [...this.#counts].map(([part, count]) => `${part} ${count}`).join(', ');
  }

  #file(difference: Extract<ImageDifference, { part: 'files' }>): string {
    const { red, green, yellow } = this.#style;
    const path = visibleText(difference.path);
    if (difference.kind === 'changed') {
      const fields = difference.fields.map(({ field, a, b }) => `    ${field}: ${shown(a)} => ${shown(b)}\n`);
      return `${yellow(`  ~ ${path}`)}\n${fields.join('')}`;
    }
    const line = `${path}  (${visibleText(this.#describe(difference))})\n`;
    return difference.kind === 'only-a' ? `${red('  -')} ${line}` : `${green('  +')} ${line}`;
  }

  #value({ at, a, b }: Exclude<ImageDifference, { part: 'files' }>): string {
    const { red, green, yellow } = this.#style;
    if (b === undefined) return `${red('  -')} ${at}: ${textOf(a)}\n`;
    if (a === undefined) return `${green('  +')} ${at}: ${textOf(b)}\n`;
    return `${yellow(`  ~ ${at}`)}\n    ${textOf(a)}\n    => ${textOf(b)}\n`;
  }
}

function shown(text: string): string {
  return text === '' ? 'none' : visibleText(text);
}

function textOf(value: unknown): string {
  return visibleText(JSON.stringify(value));
}
