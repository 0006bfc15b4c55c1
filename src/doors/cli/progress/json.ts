import { CodedError, kindOf, messageOf, type Clock } from '../../../base/index.ts';
import type { BuildEvent } from '../../../engine/index.ts';
import type { Renderer, Screen } from './renderer.ts';

/** Every event as one line of JSON, bytes as base64; a failure as a last line of kind `failed`. */
export function jsonRenderer(screen: Screen, o: { readonly clock: Clock }): Renderer {
  const print = (value: unknown): void => screen.write(`${JSON.stringify(value)}\n`);
  return {
    tellsFailure: true,
    event: (event) => print(plainData(event)),
    finish: (error) => {
      if (error === undefined) return;
      const coded = error instanceof CodedError ? error : undefined;
      print({
        kind: 'failed',
        at: o.clock.now(),
        error: {
          code: coded?.code ?? 'DEFECT',
          kind: kindOf(error),
          message: messageOf(error),
          remedy: coded?.remedy,
          place: coded?.place,
        },
      });
    },
    [Symbol.dispose]: () => undefined,
  };
}

function plainData(event: BuildEvent): unknown {
  return event.kind === 'log' ? { ...event, chunk: base64(event.chunk) } : event;
}

export function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('base64');
}
