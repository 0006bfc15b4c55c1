import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { Database, systemClock, systemRandom } from '../../src/base/index.ts';
import type { SnapshotterRig } from '../../src/snapshot/snapshotter.suite.ts';
import type { Details, Look } from '../../src/snapshot/tree-edits.suite.ts';
import { RemoteSnapshotter } from '../../src/worker/ground/remote-snapshotter.ts';
import type { IdMaps } from '../../src/worker/ground/namespaces.ts';
import { openKeeper, type GroundOptions, type KeeperGround } from '../../src/worker/ground/open-ground.ts';

export const KEEPER = {
  command: process.execPath,
  args: ['--disable-warning=ExperimentalWarning', join(import.meta.dirname, 'keeper-entry.ts')],
};

export function groundOptions(folder: string): GroundOptions & Disposable {
  mkdirSync(folder, { recursive: true });
  const database = Database.open(join(folder, 'strake.db'));
  return {
    folder: join(folder, 'ground'),
    database,
    clock: systemClock,
    random: systemRandom,
    keeper: KEEPER,
    [Symbol.dispose]: () => database[Symbol.dispose](),
  };
}

/** Deletes a keeper's snapshots from within. */
export async function wipe(ground: KeeperGround, o: { readonly folder: string }): Promise<void> {
  await ground.asker.ask('wipe', { path: join(o.folder, 'snapshots') });
}

/** Rigs of the suite that share one keeper, one after the other, each with an empty store. */
export class KeeperRigs implements AsyncDisposable {
  readonly #folder: string;
  readonly #options: ReturnType<typeof groundOptions>;
  readonly #maps: IdMaps;
  #ground: Promise<KeeperGround> | undefined;
  readonly #can: SnapshotterRig['can'];

  constructor(folder: string, o: { readonly maps: IdMaps; readonly can: SnapshotterRig['can'] }) {
    this.#folder = folder;
    this.#options = groundOptions(mkdtempSync(join(folder, 'keeper-')));
    this.#can = o.can;
    this.#maps = o.maps;
  }

  async rig(kind: 'overlay' | 'copy' = 'overlay'): Promise<SnapshotterRig> {
    this.#ground ??= openKeeper(this.#maps, { ...this.#options, executor: 'builtin' });
    const { asker } = await this.#ground;
    const folder = mkdtempSync(join(this.#folder, 'rig-'));
    const name = await asker.ask('fresh', { folder, snapshotter: kind });
    if (name !== kind) throw new Error(`snapshots are of kind ${String(name)} here, not ${kind}`);
    return {
      snapshotter: new RemoteSnapshotter(asker, kind),
      folder,
      can: this.#can,
      edit: async (mounts, edits) => void (await asker.ask('edit', { mounts, edits })),
      look: async (mounts) => (await asker.ask('look', { mounts })) as Look,
      details: async (mounts, path) => (await asker.ask('details', { mounts, path })) as Details,
      [Symbol.asyncDispose]: async () => {
        await asker.ask('stale', {});
        rmSync(folder, { recursive: true, force: true });
      },
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ground = await this.#ground;
    if (ground) {
      await wipe(ground, this.#options);
      await ground[Symbol.asyncDispose]();
    }
    this.#options[Symbol.dispose]();
  }
}
