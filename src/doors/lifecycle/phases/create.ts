import { openCache } from '../cache/open-cache.ts';
import type { PhaseContext } from '../context.ts';
import { findImage } from '../find-image.ts';
import type { During } from '../programs.ts';
import { analyze } from './analyze.ts';
import { build } from './build.ts';
import { detect } from './detect.ts';
import { exportImage } from './export.ts';
import { restore } from './restore.ts';

/** All phases of a build, one after the other, by one program (platform.md, creator; in the lifecycle's order). `names`: the image, and its other names. */
export async function create(
  names: readonly string[],
  c: PhaseContext,
  { scratch, during }: { scratch: string; during: During },
): Promise<void> {
  const { inputs, log } = c;
  const skip = inputs.bool('skip-restore');
  const cache = await during('restore', () => openCache(c));
  log.phase('ANALYZING');
  const analyzed = await during('analyze', () => analyze(names, { ...c, restoreSbom: !skip }));
  log.phase('DETECTING');
  const detected = await during('detect', () => detect(c, { scratch, generates: false, during }));
  if (!skip) {
    log.phase('RESTORING');
    await during('restore', () => restore(c, { analyzed, group: detected.group, cache, skipLayers: false }));
  }
  log.phase('BUILDING');
  await during('build', () => build(c, { detected, target: analyzed.runImage?.target, scratch }));
  log.phase('EXPORTING');
  await during('export', async () =>
    exportImage(c, {
      names,
      analyzed,
      group: detected.group,
      cache,
      previous: await findImage(analyzed.previousImage ?? '', c),
    }),
  );
}
