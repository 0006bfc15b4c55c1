import type { State } from '../graph/index.ts';
import type { PlannedImage } from './frontend.ts';

/** True when each layer is what a step has put on top of all before, and the root is what the last one left. */
export function isChain({ layers, root }: PlannedImage): boolean {
  let top: State | undefined;
  for (const layer of layers) {
    if (layer.kind === 'base' ? top !== undefined : !isSame(layer.before, top)) return false;
    top = layer.kind === 'base' ? layer.image : layer.after;
  }
  return isSame(root, top);
}

function isSame(a: State | undefined, b: State | undefined): boolean {
  const [one, other] = [a?.edge, b?.edge];
  return one?.vertex.digest === other?.vertex.digest && one?.output === other?.output;
}
