import { join } from 'node:path';
import { mapBounded, tempFolder, type Bytes, type Random, type Wait } from '../base/index.ts';
import { DiskBlobStore, type BlobReader, type Descriptor } from '../blob/index.ts';
import type { Entry, FileTree } from '../tree/index.ts';
import { PACKAGE_FOLDER } from './configure-steps.ts';
import { openDeb, type Deb } from './deb.ts';
import { writeDpkgDatabase } from './dpkg-database.ts';
import { packagesError } from './errors.ts';
import { debDescriptor } from './fetch-packages.ts';
import { writeImageFiles } from './image-files.ts';
import type { Lock, LockPackage } from './lock.ts';
import { slimDown } from './slim.ts';
import { writeWithoutScripts } from './without-scripts.ts';
import { putFile, treeOf, unpackPackages, type Draft } from './unpacked-tree.ts';

export interface BaseTreeOptions extends Wait {
  /** Has all .debs of the lock (`fetchPackages`). */
  readonly blobs: BlobReader;
  /** A folder for the unpacked archives. */
  readonly scratch: string;
  readonly random: Random;
  /** `scripts`: for `configureSteps` to be run in it. `extract`: nothing is run; what scripts would have made is made here, as far as that goes. */
  readonly mode: 'scripts' | 'extract';
  readonly onProgress?: ((event: { readonly kind: 'unpacked'; readonly package: string }) => void) | undefined;
}

/** A tree whose contents lie in temporary files until it is disposed of. */
export interface BaseTree extends FileTree, Disposable {}

/** Packages whose files come first, so that folders that several have are as these want them. */
const FIRST = ['base-files', 'base-passwd'];

/** Architectures whose dynamic linker is in /lib64. */
const WITH_LIB64 = ['amd64', 'loong64', 'mips64el', 'ppc64', 'ppc64el', 'sparc64'];

/**
 * The files of a base as they are before any script has run: packages of the base system unpacked over each other, dpkg's database, apt's sources. Packages on top lie as archives in a
 * folder where `configureSteps` finds them (mode `extract`: they are unpacked like the others). Throws `PACKAGE_CONFLICT`, `DEB_INVALID`, `BASE_INCOMPLETE`.
 */
export async function baseTree(lock: Lock, o: BaseTreeOptions): Promise<BaseTree> {
  const folder = tempFolder(o.scratch, o.random);
  try {
    const unpacked = lock.packages.filter((item) => item.base === true || o.mode === 'extract');
    const opened = await mapBounded(unpacked, 2, async (item) => {
      const deb = await openPackage(item, { ...o, folder: join(folder.path, item.name) });
      o.onProgress?.({ kind: 'unpacked', package: item.name });
      return { name: item.name, deb };
    });
    const packages = [
      ...FIRST.flatMap((name) => opened.filter((item) => item.name === name)),
      ...opened.filter((item) => !FIRST.includes(item.name)),
    ];
    const draft = unpackPackages(packages, { links: mergedLinks(lock, packages), epoch: lock.epoch });
    if (lock.variant === 'slim') slimDown(draft);
    const state = o.mode === 'extract' ? 'installed' : 'unpacked';
    await writeDpkgDatabase(draft, opened, { lock, state, signal: o.signal });
    writeImageFiles(draft, lock);
    if (o.mode === 'extract') await writeWithoutScripts(draft, { lock, signal: o.signal });
    else addArchives(draft, lock, o.blobs);
    const tree = treeOf(draft);
    return {
      entries: (w) => tree.entries(w),
      read: (files, w) => tree.read(files, w),
      digests: (files, w) => tree.digests(files, w),
      locate: (file) => tree.locate?.(file),
      [Symbol.dispose]: () => folder[Symbol.dispose](),
    };
  } catch (error) {
    folder[Symbol.dispose]();
    throw error;
  }
}

async function openPackage(item: LockPackage, o: { blobs: BlobReader; folder: string } & Wait): Promise<Deb> {
  const what = `package "${item.name}" ${item.version}`;
  const deb = await openDeb(await o.blobs.open(debDescriptor(item), { signal: o.signal }), { ...o, what });
  for (const [field, expected] of [
    ['package', item.name],
    ['version', item.version],
    ['architecture', item.architecture],
  ] as const)
    if (deb.control.get(field) !== expected)
      throw packagesError(
        'DEB_INVALID',
        `read ${what}: its control file says ${field} "${deb.control.get(field) ?? ''}"`,
      );
  return deb;
}

/**
 * From bookworm on /bin, /sbin and /lib* are links into /usr. Packages of bookworm still have files there, which the links then lead to the right place; from trixie on base-files brings
 * the links itself.
 */
function mergedLinks(
  lock: Lock,
  packages: readonly { readonly name: string; readonly deb: Deb }[],
): readonly { path: string; target: string }[] {
  if (!lock.packages.some(({ name }) => name === 'usr-is-merged' || name === 'usrmerge')) return [];
  if (packages.some(({ deb }) => deb.entries.some(({ path, type }) => path === 'bin' && type === 'symlink'))) return [];
  return ['bin', 'lib', 'sbin', ...(WITH_LIB64.includes(lock.architecture) ? ['lib64'] : [])].map((name) => ({
    path: name,
    target: `usr/${name}`,
  }));
}

function addArchives(draft: Draft, lock: Lock, blobs: BlobReader): void {
  for (const item of lock.packages) {
    if (item.base === true) continue;
    const path = `${PACKAGE_FOLDER}/${item.name}.deb`;
    putFile(draft, path, { content: new Uint8Array(), mtime: lock.epoch });
    const entry = { ...(draft.entries.get(path) as Entry), size: item.size };
    draft.entries.set(path, entry);
    draft.contents.set(path, { tree: blobTree(entry, debDescriptor(item), blobs), entry });
  }
}

/** A blob as the one file of a tree. */
function blobTree(entry: Entry, blob: Descriptor, blobs: BlobReader): FileTree {
  return {
    entries: async () => [entry],
    read: async function* (files, w): Bytes {
      for (const _ of files) yield* await blobs.open(blob, { signal: w?.signal });
    },
    digests: async (files) => files.map(() => blob.digest),
    locate: () =>
      blobs instanceof DiskBlobStore ? { path: blobs.pathOf(blob.digest), offset: 0, length: entry.size } : undefined,
  };
}
