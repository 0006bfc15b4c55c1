import type { Wait } from '../../../base/index.ts';
import type { Descriptor } from '../../../blob/index.ts';
import {
  indexManifestOf,
  makeIndex,
  parseReference,
  platformOf,
  configOf,
  type Image,
  type Index,
  type IndexMember,
} from '../../../image/index.ts';
import type { JoinedIndex } from '../../../serve/remote/index.ts';
import type { BuildHost } from '../../../worker/index.ts';
import type { CliContext } from '../command.ts';

/** Makes one index of what several nodes have pushed, and pushes it under every name. Throws what registries do. */
export async function joinIndex(
  joined: JoinedIndex,
  { c, host, signal }: { readonly c: CliContext; readonly host: Pick<BuildHost, 'credentials'> } & Wait,
): Promise<Descriptor> {
  const { RegistryClient } = await import('../../../registry/index.ts');
  const { io, settings } = c;
  const { names, insecure, docker } = joined.export;
  await using client = new RegistryClient({
    ...settings.registries,
    clock: io.clock,
    random: io.random,
    insecure: [...settings.insecure, ...(insecure ? names.map((name) => parseReference(name).registry) : [])],
    credentials: (target, w) =>
      host.credentials(
        target.registry,
        target.repository === undefined ? [] : [`repository:${target.repository}:push,pull`],
        w,
      ),
  });
  let written: Descriptor | undefined;
  for (const name of names) {
    const { registry, repository } = parseReference(name);
    const members: IndexMember[] = [];
    for (const { descriptor } of joined.members) {
      const found = await client.image(parseReference(`${registry}/${repository}@${descriptor.digest}`), { signal });
      members.push(...(await membersOf(found, { signal })));
    }
    const annotations = Object.fromEntries(
      joined.annotations.flatMap(({ level, key, value }) => (level === 'index' ? [[key, value]] : [])),
    );
    const index = makeIndex(members, {
      mediaTypes: docker ? 'docker' : 'oci',
      ...(Object.keys(annotations).length > 0 && { annotations }),
    });
    written = await client.push(index, parseReference(name), { signal });
  }
  if (!written) throw new TypeError('join an index: it has no name');
  return written;
}

async function membersOf(found: Image | Index, w: Wait): Promise<readonly IndexMember[]> {
  if (found.kind === 'image') return [{ image: found, platform: platformOf(await configOf(found, w)) }];
  const { manifests } = await indexManifestOf(found, w);
  return Promise.all(
    manifests.map(async ({ platform, annotations, ...descriptor }) => ({
      image: await found.member({ ...descriptor, platform, annotations }, w),
      platform,
      annotations,
    })),
  );
}
