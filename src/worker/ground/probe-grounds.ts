import { mkdirSync } from 'node:fs';
import { messageOf, throwIfCancelled } from '../../base/index.ts';
import type { GroundReport } from './ground.ts';
import { findIdMaps, type IdMaps } from './namespaces.ts';
import { canMount, openKeeper, type GroundOptions } from './open-ground.ts';

/** One rung of the ladder, tried on this machine. */
export interface GroundProbe {
  readonly name: 'root' | 'subordinate ids' | 'one id';
  readonly works: boolean;
  /** Why it does not. */
  readonly reason?: string | undefined;
  readonly report?: GroundReport | undefined;
}

/** Every ground that this process could have, best first, each by opening it in a keeper and closing it again: nothing changes in this process. For `doctor`. */
export async function probeGrounds(o: GroundOptions): Promise<readonly GroundProbe[]> {
  mkdirSync(o.folder, { recursive: true, mode: 0o711 });
  if (canMount()) return [await tried('root', { kind: 'none' }, o)];
  const notRoot = { name: 'root', works: false, reason: 'not root, or without the right to mount' } as const;
  const maps = findIdMaps();
  const range =
    'reason' in maps
      ? ({ name: 'subordinate ids', works: false, reason: maps.reason } as const)
      : await tried('subordinate ids', maps, o);
  return [notRoot, range, await tried('one id', { kind: 'single' }, o)];
}

/** What `openGround` would give; undefined when nothing works. */
export async function probeGround(o: GroundOptions): Promise<GroundReport | undefined> {
  return (await probeGrounds(o)).find(({ works }) => works)?.report;
}

async function tried(name: GroundProbe['name'], maps: IdMaps, o: GroundOptions): Promise<GroundProbe> {
  try {
    await using ground = await openKeeper(maps, o);
    return { name, works: true, report: ground.report };
  } catch (error) {
    throwIfCancelled(o);
    return { name, works: false, reason: messageOf(error) };
  }
}
