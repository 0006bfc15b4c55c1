import type { StepContext } from '../solve/index.ts';
import type { FetchLayer, LayerAccess } from './layer-service.ts';
import type { Session } from './session.ts';

/** A way to fetch layers with the credentials of a build. */
export type FetchFor = (session: Session) => FetchLayer;

/** How a step gets at layers: with its build's credentials, telling the step's own progress. */
export function accessOf(context: StepContext<Session>, fetchFor: FetchFor): LayerAccess {
  return {
    signal: context.signal,
    fetch: fetchFor(context.host),
    lost: context.host.lost,
    onProgress: (layer, current, total) =>
      context.progress({ item: layer, current, total, unit: 'bytes', done: current >= total }),
  };
}
