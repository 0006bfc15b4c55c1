import type { Digest } from '../blob/index.ts';
import type { PlannedImage } from '../frontend/index.ts';
import type { History, ImageConfig } from '../image/index.ts';

/**
 * The configuration of a finished image, as BuildKit's exporter fills it in: `rootfs`, the times of the new history entries (a layer's own; entries without a layer take those of the one before, or of the first new layer), and `created`,
 * which is the last entry's. A base's history that tells of more or fewer layers than there are is put right as BuildKit does (normalizeLayersAndHistory). With an epoch, times after it become it. `layerTimes` are milliseconds since the epoch, one per layer, undefined for the base's.
 */
export function finishConfig(
  image: PlannedImage,
  o: { diffIds: readonly Digest[]; layerTimes: readonly (number | undefined)[]; epoch?: number | undefined },
): ImageConfig {
  const planned = accounted(image.config.history ?? [], o.layerTimes.length);
  let layer = 0;
  const entries: History[] = planned.map((entry, index) => {
    if (entry.empty_layer) return entry;
    const made = o.layerTimes[layer++];
    return index < image.baseHistory || made === undefined ? entry : { ...entry, created: formatTime(made) };
  });
  const history = fillTimes(entries).map((entry, index) =>
    o.epoch !== undefined && index >= image.baseHistory
      ? { ...entry, created: earlier(entry.created, o.epoch) }
      : entry,
  );
  const created =
    history.findLast((entry) => entry.created !== undefined)?.created ??
    (o.epoch === undefined ? undefined : formatTime(o.epoch * 1000));
  return { ...image.config, created, rootfs: { type: 'layers', diff_ids: o.diffIds }, history };
}

/** A history with as many entries for layers as there are layers: those beyond are told to be empty, missing ones come at the end. */
function accounted(history: readonly History[], layers: number): readonly History[] {
  let told = 0;
  const entries = history.map((entry): History => {
    if (entry.empty_layer) return entry;
    told += 1;
    return told > layers ? { ...entry, empty_layer: true } : entry;
  });
  const missing = Array.from({ length: Math.max(0, layers - told) }, () => ({ comment: EXPORTER }));
  return [...entries, ...missing];
}

const EXPORTER = 'buildkit.exporter.image.v0';

/** RFC 3339 in UTC as Go prints it: no trailing zeros of the fraction. */
export function formatTime(milliseconds: number): string {
  return new Date(milliseconds).toISOString().replace(/\.?0*Z$/, 'Z');
}

/** Gives entries without a time the time of the entry before them; those at the front, of the first that follows the gap. */
function fillTimes(entries: readonly History[]): History[] {
  let time: string | undefined;
  let gap = false;
  for (const entry of entries) {
    if (entry.created === undefined) gap = true;
    else {
      time = entry.created;
      if (gap) break;
    }
  }
  gap = false;
  return entries.map((entry) => {
    if (entry.created === undefined) {
      gap = true;
      return time === undefined ? entry : { ...entry, created: time };
    }
    if (gap) time = entry.created;
    return entry;
  });
}

function earlier(time: string | undefined, epoch: number): string {
  const limit = epoch * 1000;
  return time === undefined || Date.parse(time) > limit ? formatTime(limit) : time;
}
