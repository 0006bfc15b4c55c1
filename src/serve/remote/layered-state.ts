import { isChain, type PlannedImage } from '../../frontend/index.ts';
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
