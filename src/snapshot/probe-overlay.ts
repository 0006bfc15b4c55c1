import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { messageOf, mountAll, tempFolder, type Random } from '../base/index.ts';
import { isOpaque, opaqueXattr } from './layer-stack.ts';

/**
 * The mount options with which overlayfs works on the file system of `folder` for this process, best first tried; undefined when none does, with the reason. To be called in a mount namespace of one's own.
 *
 * `index=off`: upper folders are moved and used again. `redirect_dir=off`, `metacopy=off`: a step's changes must be whole files at their own paths. `volatile`: nothing is synced. `userxattr`: needed in a user
 * namespace, where without it a mount succeeds but replacing a lower folder fails with EIO.
 */
export function probeOverlay(
  folder: string,
  random: Random,
): { readonly options: readonly string[] } | { readonly reason: string } {
  let reason = '';
  for (const options of TRIES) {
    try {
      trial(folder, random, options);
      return { options };
    } catch (error) {
      reason ||= messageOf(error);
    }
  }
  return { reason };
}

const PLAIN = ['index=off', 'redirect_dir=off', 'metacopy=off'];
const TRIES: readonly (readonly string[])[] = [
  [...PLAIN, 'volatile'],
  PLAIN,
  ['index=off', 'userxattr', 'volatile'],
  ['index=off', 'userxattr'],
  ['index=off'],
];

function trial(folder: string, random: Random, options: readonly string[]): void {
  mkdirSync(folder, { recursive: true });
  using temp = tempFolder(folder, random);
  const { path } = temp;
  for (const name of ['lower/d/e', 'upper', 'work', 'root']) mkdirSync(`${path}/${name}`, { recursive: true });
  writeFileSync(`${path}/lower/d/file`, 'x');
  {
    using _ = mountAll(
      [
        {
          type: 'overlay',
          source: 'overlay',
          options: [...options, `lowerdir=${path}/lower`, `upperdir=${path}/upper`, `workdir=${path}/work`],
        },
      ],
      `${path}/root`,
    );
    rmSync(`${path}/root/d`, { recursive: true });
    mkdirSync(`${path}/root/d`);
  }
  const name = opaqueXattr(options.includes('userxattr') ? 'user' : 'trusted');
  if (!isOpaque(`${path}/upper/d`, name)) throw new Error(`overlay does not set ${name}`);
}
