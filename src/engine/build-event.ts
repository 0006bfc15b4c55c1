import { kindOf, messageOf } from '../base/index.ts';
import type { SolveEvent } from '../solve/index.ts';
import type { BuildEvent } from './builder.ts';

/** The solver's story as the build tells it. */
export function toBuildEvent(event: SolveEvent): BuildEvent {
  switch (event.kind) {
    case 'vertex': {
      const { digest, inputs, label } = event.vertex;
      return {
        kind: 'vertex',
        id: digest,
        name: label.name,
        inputs: inputs.map((edge) => edge.vertex.digest),
        group: label.group,
        internal: label.internal,
        place: label.place,
      };
    }
    case 'started':
      return { kind: 'started', id: event.digest, at: event.at, ...(event.miss && { miss: event.miss }) };
    case 'cached':
      return { kind: 'cached', id: event.digest, at: event.at, verdict: event.verdict };
    case 'log':
      return { kind: 'log', id: event.digest, at: event.at, stream: event.stream, chunk: event.chunk };
    case 'progress':
      return { kind: 'progress', id: event.digest, at: event.at, progress: event.progress };
    case 'note':
      return { kind: 'note', id: event.digest, at: event.at, text: event.text };
    default: {
      const { digest: id, at, error } = event;
      if (error === undefined) return { kind: 'completed', id, at };
      return { kind: 'completed', id, at, error: messageOf(error), cancelled: kindOf(error) === 'cancelled' };
    }
  }
}
