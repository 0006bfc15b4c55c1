import { createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { collect, type Wait } from '../../../base/index.ts';
import type { Digest } from '../../../blob/index.ts';
import type { Engine } from '../../../engine/index.ts';
import { tarFileTree } from '../../../tree/index.ts';
import type { BuildHost } from '../../../worker/index.ts';
import { jsonOf, listOf, objectOf, textOf } from './json.ts';
import type { ReportComponent } from './report-data.ts';

/** Files larger than this are passed over, and components beyond this number. */
const LARGEST_FILE = 32 << 20;
const MOST_COMPONENTS = 5000;

/** What the SBOM layer of an app image lists, in any of the formats that buildpacks write, each component once. */
export async function readComponents(
  image: Digest,
  o: {
    readonly engine: Pick<Engine, 'workshop'>;
    readonly host: Pick<BuildHost, 'credentials'>;
    /** The diffID of the layer. */
    readonly sbom: string;
  } & Wait,
): Promise<ReportComponent[]> {
  await using workshop = await o.engine.workshop({ host: o.host });
  const opened = await workshop.open(`store:${image}`, o);
  if (opened.kind !== 'image') return [];
  for (const layer of await opened.layers(o)) {
    if ((await layer.diffId(o)) !== o.sbom) continue;
    const file = join(workshop.scratch, 'sbom.tar');
    await pipeline(Readable.from(await layer.uncompressed(o)), createWriteStream(file));
    const tree = await tarFileTree(file, o);
    const found = new Map<string, ReportComponent>();
    for (const entry of await tree.entries(o)) {
      const [, from] = /\/?sbom\/(?:launch|build|cache)\/(.*\/)?[^/]+\.json$/.exec(entry.path) ?? [];
      if (from === undefined || entry.type !== 'file' || entry.size > LARGEST_FILE) continue;
      const text = Buffer.from(await collect(tree.read([entry], o))).toString('utf8');
      for (const component of componentsOf(jsonOf(text), from.replace(/\/$/, '')))
        if (found.size < MOST_COMPONENTS) found.set(`${component.name}\0${component.version}`, component);
    }
    return [...found.values()].sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  }
  return [];
}

/** The components of a CycloneDX, SPDX or Syft document. */
export function componentsOf(document: unknown, from: string): ReportComponent[] {
  const top = objectOf(document);
  const cyclone = listOf(top['components']).map((one) => ({
    name: [textOf(one['group']), textOf(one['name'])].filter(Boolean).join('/'),
    version: textOf(one['version']),
    licenses: listOf(one['licenses'])
      .map((entry) => {
        const license = objectOf(entry['license']);
        return textOf(entry['expression']) || textOf(license['id']) || textOf(license['name']);
      })
      .filter(Boolean)
      .join(', '),
    from,
  }));
  const spdx = listOf(top['packages']).map((one) => ({
    name: textOf(one['name']),
    version: textOf(one['versionInfo']),
    licenses:
      [textOf(one['licenseConcluded']), textOf(one['licenseDeclared'])].find(
        (text) => text !== '' && text !== 'NOASSERTION',
      ) ?? '',
    from,
  }));
  const syft = listOf(top['artifacts']).map((one) => ({
    name: textOf(one['name']),
    version: textOf(one['version']),
    licenses: (Array.isArray(one['licenses']) ? one['licenses'] : [])
      .map((entry) => textOf(entry) || textOf(objectOf(entry)['value']))
      .filter(Boolean)
      .join(', '),
    from,
  }));
  return [...cyclone, ...spdx, ...syft].filter(({ name }) => name !== '');
}
