import type { BuildEvent } from '../../../engine/index.ts';

/** Lines as BuildKit's plain progress has them: `#4 [build 2/3] RUN make`, `#4 0.512 output`, `#4 DONE 1.2s`. */
export function plainProgress(write: (text: string) => void): (event: BuildEvent) => void {
  const numbers = new Map<string, number>();
  const names = new Map<string, string>();
  const started = new Map<string, number>();
  const rests = new Map<string, string>();
  const numberOf = (id: string): number => {
    let number = numbers.get(id);
    if (number === undefined) {
      number = numbers.size + 1;
      numbers.set(id, number);
      write(`\n#${number} ${names.get(id) ?? id}\n`);
    }
    return number;
  };
  return (event) => {
    switch (event.kind) {
      case 'vertex':
        names.set(event.id, event.name);
        break;
      case 'started':
        started.set(event.id, event.at);
        numberOf(event.id);
        break;
      case 'cached':
        write(`#${numberOf(event.id)} CACHED (${event.verdict.hit ? event.verdict.by : ''})\n`);
        break;
      case 'note':
        write(`#${numberOf(event.id)} ${event.text}\n`);
        break;
      case 'log': {
        const since = ((event.at - (started.get(event.id) ?? event.at)) / 1000).toFixed(3);
        const lines = ((rests.get(event.id) ?? '') + Buffer.from(event.chunk).toString()).split('\n');
        rests.set(event.id, lines.pop() ?? '');
        for (const line of lines) write(`#${numberOf(event.id)} ${since} ${line}\n`);
        break;
      }
      case 'completed': {
        if (!numbers.has(event.id)) break;
        const seconds = ((event.at - (started.get(event.id) ?? event.at)) / 1000).toFixed(1);
        write(`#${numberOf(event.id)} ${event.error === undefined ? `DONE ${seconds}s` : `ERROR: ${event.error}`}\n`);
        break;
      }
      case 'warning':
        write(`WARN: ${event.warning.message}\n`);
        break;
      case 'ground':
      case 'progress':
      case 'result':
        break;
    }
  };
}
