import { messageOf } from '../../base/index.ts';
import type { BuildEvent } from '../../engine/index.ts';
import type { Log } from './log.ts';

/** Tells a build as kaniko does: each instruction as a line, the output of RUN lines as it is, on the stream it was written to. */
export function storyTeller(o: {
  readonly log: Log;
  readonly output: (chunk: Uint8Array, stream: 'stdout' | 'stderr') => void;
}): (event: BuildEvent) => void {
  const { log } = o;
  const names = new Map<string, string>();
  const told = new Set<string>();
  return (event) => {
    switch (event.kind) {
      case 'vertex':
        names.set(event.id, event.name);
        return;
      case 'started': {
        const name = names.get(event.id) ?? '';
        if (told.has(event.id)) return;
        told.add(event.id);
        tellStart(log, name);
        return;
      }
      case 'cached': {
        const name = names.get(event.id) ?? '';
        if (event.verdict.hit && isInstruction(name)) log.info(`Using caching version of cmd: ${commandOf(name)}`);
        return;
      }
      case 'log':
        o.output(event.chunk, event.stream);
        return;
      case 'note':
        log.debug(event.text);
        return;
      case 'warning': {
        const { message, place } = event.warning;
        log.warn(place === undefined ? message : `${place.file}:${place.line}: ${message}`);
        return;
      }
      case 'ground': {
        const { snapshotter, executor, lacks } = event.ground;
        log.info(`Steps run with ${snapshotter} and ${executor}`);
        for (const lack of lacks) log.debug(lack);
        return;
      }
      case 'completed':
        if (event.error !== undefined && !event.cancelled)
          log.debug(`${names.get(event.id) ?? ''}: ${messageOf(event.error)}`);
        return;
      default:
    }
  };
}

function tellStart(log: Log, name: string): void {
  if (!isInstruction(name)) {
    log.debug(name);
    return;
  }
  const command = commandOf(name);
  const base = /^FROM (\S+)/.exec(command)?.[1];
  log.info(base === undefined ? command : `Retrieving image manifest ${base}`);
}

/** `[build 2/3] RUN make`: an instruction; `[internal] …` and exports are work of our own. */
function isInstruction(name: string): boolean {
  return /^\[[^\]]*\d+\/\d+\] /.test(name);
}

function commandOf(name: string): string {
  return name.replace(/^\[[^\]]*\] /, '');
}
