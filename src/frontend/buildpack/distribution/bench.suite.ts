import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { systemClock, systemRandom } from '../../../base/index.ts';
import { DiskBlobStore } from '../../../blob/index.ts';
import { makeImage, writeOciArchive, type Image, type ImageConfig, type Index } from '../../../image/index.ts';
import type { ReadOptions } from './read-package.ts';
import type { Workshop } from './workshop.ts';

/** A folder with a store, and what reading modules needs. */
export interface Bench extends Disposable {
  readonly folder: string;
  readonly shop: Workshop;
  readonly reading: ReadOptions;
  /** Makes files below the folder: text, or with a mode. Gives the folder named. */
  files(folder: string, files: Readonly<Record<string, string | { text: string; mode: number }>>): string;
  /** Writes a `.cnb` file and gives its bytes. */
  cnb(image: Image | Index, path?: string): Promise<Buffer>;
}

export function bench(): Bench {
  const folder = mkdtempSync(join(tmpdir(), 'strake-distribution-'));
  const shop: Workshop = {
    store: new DiskBlobStore(join(folder, 'blobs'), { clock: systemClock, random: systemRandom }),
    scratch: folder,
    spare: () => undefined,
  };
  const kept: Disposable[] = [];
  const reading: ReadOptions = {
    shop,
    random: systemRandom,
    what: 'test',
    host: { os: 'linux', architecture: 'amd64' },
    keep: (resource) => void kept.push(resource),
  };
  return {
    folder,
    shop,
    reading,
    files: (name, files) => {
      const root = join(folder, name);
      for (const [path, content] of Object.entries(files)) {
        mkdirSync(dirname(join(root, path)), { recursive: true });
        const { text, mode } = typeof content === 'string' ? { text: content, mode: 0o644 } : content;
        writeFileSync(join(root, path), text, { mode });
      }
      return root;
    },
    cnb: async (image, path) => {
      const chunks: Buffer[] = [];
      await writeOciArchive([{ image }], (chunk) => void chunks.push(Buffer.from(chunk)), { heads: 'cnb' });
      const bytes = Buffer.concat(chunks);
      if (path !== undefined) writeFileSync(path, bytes);
      return bytes;
    },
    [Symbol.dispose]: () => {
      for (const resource of kept) resource[Symbol.dispose]();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** A buildpack of one program, as files. */
export function buildpackFiles(
  id: string,
  o: { version?: string; order?: readonly string[]; more?: string } = {},
): Record<string, string | { text: string; mode: number }> {
  const head = `api = "0.10"\n[buildpack]\nid = "${id}"\nversion = "${o.version ?? '1.0.0'}"\nname = "The ${id}"\n${o.more ?? ''}`;
  if (o.order) {
    const group = o.order.map((ref) => {
      const [of, version] = ref.split('@');
      return `[[order.group]]\nid = "${of}"\n${version === undefined ? '' : `version = "${version}"\n`}`;
    });
    return { 'buildpack.toml': `${head}[[order]]\n${group.join('')}` };
  }
  return {
    'buildpack.toml': head,
    'bin/detect': '#!/bin/sh\n',
    'bin/build': { text: `#!/bin/sh\necho ${id}\n`, mode: 0o755 },
  };
}

/** An image without layers that says who builds in it. */
export function buildImage(
  o: { labels?: Readonly<Record<string, string>>; env?: readonly string[]; architecture?: string; user?: string } = {},
): Image {
  const config: ImageConfig = {
    architecture: o.architecture ?? 'amd64',
    os: 'linux',
    config: {
      User: o.user ?? '1001:1002',
      Env: o.env ?? ['PATH=/bin', 'CNB_USER_ID=1001', 'CNB_GROUP_ID=1002'],
      Labels: o.labels ?? {},
    },
    rootfs: { type: 'layers', diff_ids: [] },
  };
  return makeImage({ config, layers: [], mediaTypes: 'oci' });
}
