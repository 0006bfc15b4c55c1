import type { PlannedImage } from '../../frontend/index.ts';
import { scratch, State } from '../../graph/index.ts';

/** A tree whose layers are those that the image is to have: a daemon exports what a tree is made of. */
export function layeredState(image: PlannedImage, o: { readonly squash?: boolean | undefined } = {}): State {
  const base = image.layers.find(({ kind }) => kind === 'base');
  if (o.squash && image.layers.filter(({ kind }) => kind === 'step').length > 1) {
    const below = base?.kind === 'base' ? base.image : scratch;
    return State.merge([below, between(below, image.root)], MACHINERY);
  }
  if (isChain(image)) return image.root;
  return State.merge(
    image.layers.map((layer) => (layer.kind === 'base' ? layer.image : between(layer.before, layer.after))),
    MACHINERY,
  );
}

const MACHINERY = { name: '[export] the layers', internal: true };

function between(before: State, after: State): State {
  return before.isScratch ? after : State.diff(before, after, { name: '[export] a layer', internal: true });
}

/** True when each layer is what a step has put on top of all before. */
function isChain({ layers, root }: PlannedImage): boolean {
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
