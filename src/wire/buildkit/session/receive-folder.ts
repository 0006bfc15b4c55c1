import { mkdirSync, rmdirSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { systemClock, systemRandom, tempFolder, type Wait } from '../../../base/index.ts';
import { extractTree } from '../../../tree/index.ts';
import type { RawCall } from '../../grpc/index.ts';
import { Stay } from './kept-files.ts';
import { receiveFiles } from './receive-files.ts';
import { ReceivedTree } from './received-tree.ts';

/** Receives a tree into a folder, which is made if missing; other files in it stay. Nothing is written there before all has come, and nothing outside of it. Throws what `receiveFiles` and `extractTree` do. */
export async function receiveFolder(
  call: RawCall,
  folder: string,
  o: { readonly action: string } & Wait,
): Promise<void> {
  const made = mkdirSync(folder, { recursive: true });
  try {
    await receive(call, folder, o);
  } catch (error) {
    if (made !== undefined) removeEmpty(folder, made);
    throw error;
  }
}

async function receive(call: RawCall, folder: string, o: { readonly action: string } & Wait): Promise<void> {
  using scratch = tempFolder(folder, systemRandom);
  const path = join(scratch.path, 'packs');
  mkdirSync(path);
  using stay = new Stay(path, { random: systemRandom, packOf: () => '' });
  const received = await receiveFiles(call, {
    name: o.action,
    known: () => undefined,
    stay,
    clock: systemClock,
    signal: o.signal,
  });
  // What has come whole is written whole, whether or not the server is still there.
  await extractTree(new ReceivedTree(received), folder, { owner: 'current' });
}

/** Takes away a folder and those above it down from `top`, as long as there is nothing in them. */
function removeEmpty(folder: string, top: string): void {
  for (let path = resolve(folder); path.startsWith(top); path = dirname(path))
    try {
      rmdirSync(path);
    } catch {
      return;
    }
}
