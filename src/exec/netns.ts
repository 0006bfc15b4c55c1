import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { messageOf, runTool, unmount, type Wait } from '../base/index.ts';
import { execError } from './errors.ts';
import { toolPath } from './tool-root.ts';

/** A network namespace that lasts until it is given back, whoever is in it. */
export interface Netns extends Disposable {
  readonly path: string;
}

export async function makeNetns(folder: string, w: Wait): Promise<Netns> {
  const path = join(folder, 'netns');
  writeFileSync(path, '');
  try {
    await runTool(toolPath('unshare'), [`--net=${path}`, toolPath('true')], w);
  } catch (error) {
    if (w.signal?.aborted) throw error;
    throw execError('NETWORK_FAILED', `make a network namespace: ${messageOf(error)}`, { cause: error });
  }
  return { path, [Symbol.dispose]: () => unmount(path) };
}
