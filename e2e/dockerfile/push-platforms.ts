import { join } from 'node:path';
import { systemRandom } from '../../src/base/index.ts';
import { makeIndex, openArchive, selectImage, writeLayout, type IndexMember } from '../../src/image/index.ts';
import { BASE_EPOCH } from './base-history.ts';
import { runStrake } from './build-with-strake.ts';

/** Pushes an image of a store, as an index of all its platforms where it has several, to `registry`/library/`name`. */
export async function pushPlatforms(o: {
  name: string;
  platforms: readonly string[];
  root: string;
  work: string;
  registry: string;
}): Promise<void> {
  const run = async (...argv: string[]): Promise<void> => {
    const { code, stderr } = await runStrake(argv, { root: o.root, cwd: o.work });
    if (code !== 0) throw new Error(`strake ${argv.join(' ')}: ${stderr}`);
  };
  await using archives = new AsyncDisposableStack();
  const members: IndexMember[] = [];
  for (const platform of o.platforms) {
    const path = join(o.work, `${o.name}-${platform.replaceAll('/', '-')}.tar`);
    await run(
      'build',
      '-q',
      '--platform',
      platform,
      '--build-arg',
      `SOURCE_DATE_EPOCH=${BASE_EPOCH}`,
      '-f',
      join(o.work, 'bases', `${o.name}.dockerfile`),
      '-o',
      `type=oci,dest=${path},rewrite-timestamp=true`,
      join(o.work, 'bases'),
    );
    const archive = archives.use(await openArchive(path, { temp: o.work, random: systemRandom }));
    members.push({ image: await selectImage(archive, { what: path }).open() });
  }
  const only = members[0]?.image;
  const layout = join(o.work, `${o.name}-layout`);
  await writeLayout(
    layout,
    [{ image: only && members.length === 1 ? only : makeIndex(members, { mediaTypes: 'oci' }) }],
    { random: systemRandom },
  );
  await run(
    'copy',
    '-q',
    '--insecure-registry',
    o.registry,
    `oci:${layout}`,
    `docker://${o.registry}/library/${o.name}:latest`,
  );
}
