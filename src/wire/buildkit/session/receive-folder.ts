import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
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
  mkdirSync(folder, { recursive: true });
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
  await extractTree(new ReceivedTree(received.entries, received.places), folder, {
    owner: 'current',
    signal: o.signal,
  });
}
