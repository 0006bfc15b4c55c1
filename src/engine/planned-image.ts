import type { PlannedImage } from '../frontend/index.ts';
import type { State } from '../graph/index.ts';

/** The image with a history in which only the last of the new entries that had a layer has one. */
export function oneStep(image: PlannedImage): PlannedImage {
  const { history = [] } = image.config;
  const last = history.findLastIndex((entry, at) => at >= image.baseHistory && !entry.empty_layer);
  const told = history.map((entry, at) =>
    at >= image.baseHistory && at !== last && !entry.empty_layer ? { ...entry, empty_layer: true } : entry,
  );
  return { ...image, config: { ...image.config, history: told } };
}

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
