import type { PlannedImage } from '../frontend/index.ts';

/** The image with a history in which only the last of the new entries that had a layer has one. */
export function oneStep(image: PlannedImage): PlannedImage {
  const { history = [] } = image.config;
  const last = history.findLastIndex((entry, at) => at >= image.baseHistory && !entry.empty_layer);
  const told = history.map((entry, at) =>
    at >= image.baseHistory && at !== last && !entry.empty_layer ? { ...entry, empty_layer: true } : entry,
  );
  return { ...image, config: { ...image.config, history: told } };
}
