import { editDistance } from '../../../base/index.ts';
import { cliError } from '../errors.ts';
import type { Io } from '../io.ts';
import { instanceNames, readInstance } from './buildx-instances.ts';
import { parseEndpoint, platformsOf, type Endpoint, type TlsFiles } from './endpoint.ts';
import { nodesPath, readNodes } from './nodes.ts';

/**
 * The daemons that `--on` names: addresses, named nodes, instances of `docker buildx`; several separated by commas. Throws `NODE_UNKNOWN`, `NODE_UNSUPPORTED`, `CONFIG_INVALID`, `USAGE`.
 */
export function findEndpoints(
  text: string,
  o: { readonly io: Pick<Io, 'env' | 'home'>; readonly tls?: TlsFiles | undefined },
): readonly Endpoint[] {
  const words = text.split(',').map((word) => word.trim());
  return words.filter((word) => word !== '').flatMap((word) => findOne(word, o));
}

function findOne(
  word: string,
  { io, tls }: { readonly io: Pick<Io, 'env' | 'home'>; readonly tls?: TlsFiles | undefined },
): readonly Endpoint[] {
  const address = parseEndpoint(word, { env: io.env, tls });
  if (address) return [address];
  const nodes = readNodes(io);
  const node = nodes.find(({ name }) => name === word);
  if (node) {
    const at = parseEndpoint(node.address, { env: io.env, tls: node.tls ?? tls });
    if (!at)
      throw cliError('CONFIG_INVALID', `read "${nodesPath(io)}": "${node.address}" of node "${word}" is no address`);
    return [{ ...at, name: word, platforms: platformsOf(node.platforms) }];
  }
  const instance = readInstance(word, io);
  if (instance) return instance;
  const names = [...nodes.map(({ name }) => name), ...instanceNames(io)];
  const near = names.filter((name) => editDistance(name, word) <= 2);
  throw cliError('NODE_UNKNOWN', `build on "${word}": there is no node or instance of docker buildx of that name`, {
    remedy:
      near.length > 0
        ? `Did you mean ${near.map((name) => `"${name}"`).join(' or ')}?`
        : 'Write an address, as buildkit+unix:///PATH or docker://, or add a node: strake node add NAME ADDRESS.',
  });
}
