import { digestOf, isDigest } from '../../../blob/index.ts';
import type { BuildEvent } from '../../../engine/index.ts';
import { base64 } from './json.ts';
import { ProgressModel, type Change, type Step } from './model.ts';
import type { Renderer, Screen } from './renderer.ts';

/** BuildKit's SolveStatus, one update a line (client/graph.go): `vertexes`, `statuses`, `logs`, `warnings`. */
export function rawJsonRenderer(screen: Screen): Renderer {
  const model = new ProgressModel();
  const inputs = new Map<string, readonly string[]>();
  const vertexOf = (step: Step): unknown => ({
    digest: digestFor(step.id),
    inputs: inputs.get(step.id)?.map(digestFor),
    name: step.name,
    started: timeText(step.startedAt),
    completed: timeText(step.endedAt),
    cached: step.state === 'cached' || undefined,
    error: step.error,
  });
  return {
    event: (event) => {
      if (event.kind === 'vertex' && event.inputs.length > 0) inputs.set(event.id, event.inputs);
      const change = model.apply(event);
      const status = statusOf(event, change, vertexOf);
      if (status) screen.write(`${JSON.stringify(status)}\n`);
    },
    finish: () => undefined,
    [Symbol.dispose]: () => undefined,
  };
}

function statusOf(event: BuildEvent, { step, item: moved }: Change, vertexOf: (step: Step) => unknown): unknown {
  switch (event.kind) {
    case 'vertex':
    case 'started':
    case 'cached':
    case 'completed':
      return step && { vertexes: [vertexOf(step)] };
    case 'log':
      return {
        logs: [
          {
            vertex: digestFor(event.id),
            stream: event.stream === 'stdout' ? 1 : 2,
            data: base64(event.chunk),
            timestamp: timeText(event.at),
          },
        ],
      };
    case 'note':
      return {
        statuses: [
          {
            id: event.text,
            vertex: digestFor(event.id),
            current: 0,
            timestamp: timeText(event.at),
            started: timeText(event.at),
            completed: timeText(event.at),
          },
        ],
      };
    case 'progress': {
      const { item, current, total, done } = event.progress;
      return {
        statuses: [
          {
            id: item,
            vertex: digestFor(event.id),
            total,
            current,
            timestamp: timeText(event.at),
            started: timeText(moved?.startedAt),
            completed: done ? timeText(event.at) : undefined,
          },
        ],
      };
    }
    case 'warning': {
      const { code, message, detail, url, place } = event.warning;
      return {
        warnings: [
          {
            level: 1,
            short: text64(`${code}: ${message}`),
            detail: detail === undefined ? undefined : [text64(detail)],
            url,
            sourceInfo: place && { filename: place.file },
            range: place && [{ start: { line: place.line }, end: { line: place.endLine ?? place.line } }],
          },
        ],
      };
    }
    default:
      return undefined;
  }
}

/** Work that is no vertex of the graph gets a digest of its name, since readers expect one. */
function digestFor(id: string): string {
  return isDigest(id) ? id : digestOf(id);
}

function timeText(at: number | undefined): string | undefined {
  return at === undefined ? undefined : new Date(at).toISOString();
}

function text64(text: string): string {
  return Buffer.from(text).toString('base64');
}
