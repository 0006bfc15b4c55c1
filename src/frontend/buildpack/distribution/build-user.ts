import { hasCode, type Wait } from '../../../base/index.ts';
import { append, withConfig, type Image } from '../../../image/index.ts';
import { composeTree, unionOf, type ComposeItem, type FileTree } from '../../../tree/index.ts';
import { CREATED } from './make-package.ts';
import { folderAt } from './module.ts';
import { layerOfTree, treeOfLayer, type Workshop } from './workshop.ts';

const HOME = '/home/cnb';

/** An image that knows nothing of buildpacks as a build image: with a user `cnb`, whose ids CNB_USER_ID and CNB_GROUP_ID name, and a home for it. Its layers are read. */
export async function withBuildUser(
  image: Image,
  o: { shop: Workshop; uid?: number | undefined; gid?: number | undefined } & Wait,
): Promise<Image> {
  const { uid = 1000, gid = 1000, shop } = o;
  const layer = layerOfTree(
    async () => {
      const trees: FileTree[] = [];
      for (const one of await image.layers(o)) trees.push(await treeOfLayer(one, { shop }));
      const view = await unionOf(trees);
      const read = async (path: string): Promise<string> => {
        try {
          return Buffer.from(await view.readFile(path)).toString();
        } catch (error) {
          if (hasCode(error, 'PATH_NOT_FOUND')) return '';
          throw error;
        }
      };
      return composeTree([
        text('etc/group', `${await read('/etc/group')}cnb:x:${gid}:\n`),
        text('etc/passwd', `${await read('/etc/passwd')}cnb:x:${uid}:${gid}::${HOME}:/bin/sh\n`),
        { entry: folderAt(HOME.slice(1), { uid, gid }) },
      ]);
    },
    { shop },
  );
  const added = append(image, { layer, history: { created: CREATED, created_by: 'User cnb' } });
  return withConfig(added, (config) => ({
    ...config,
    config: {
      ...config.config,
      User: `${uid}:${gid}`,
      Env: [
        ...(config.config?.Env ?? []).filter((line) => !/^CNB_(?:USER|GROUP)_ID=/.test(line)),
        `CNB_USER_ID=${uid}`,
        `CNB_GROUP_ID=${gid}`,
      ],
    },
  }));
}

function text(path: string, value: string): ComposeItem {
  const content = Buffer.from(value);
  return {
    entry: { path, type: 'file', mode: 0o644, uid: 0, gid: 0, size: content.length, mtime: 0, mtimeNs: 0 },
    from: { content },
  };
}
