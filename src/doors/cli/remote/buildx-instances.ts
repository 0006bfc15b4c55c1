import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { hasErrno, reasonOf } from '../../../base/index.ts';
import type { Platform } from '../../../blob/index.ts';
import { formatPlatform } from '../../../image/index.ts';
import { cliError } from '../errors.ts';
import type { Io } from '../io.ts';
import { DOCKER_SOCKET, platformsOf, type Endpoint } from './endpoint.ts';

/** What `docker buildx create` has written (store/nodegroup.go). */
interface Instance {
  readonly Name?: string;
  readonly Driver?: string;
  readonly Nodes?: readonly {
    readonly Name?: string;
    readonly Endpoint?: string;
    readonly Platforms?: readonly Platform[] | null;
    readonly DriverOpts?: Readonly<Record<string, string>> | null;
  }[];
}

type Places = Pick<Io, 'env' | 'home'>;

/** Docker's folder of configuration: DOCKER_CONFIG, ~/.docker. */
function dockerFolder({ env, home }: Places): string {
  return env['DOCKER_CONFIG'] || join(home, '.docker');
}

function instancesFolder(io: Places): string {
  return join(io.env['BUILDX_CONFIG'] || join(dockerFolder(io), 'buildx'), 'instances');
}

/** Names of the instances that buildx knows. */
export function instanceNames(io: Places): readonly string[] {
  try {
    return readdirSync(instancesFolder(io)).sort();
  } catch {
    return [];
  }
}

/** The daemons of an instance that `docker buildx` knows; undefined where there is none of that name. Throws `CONFIG_INVALID`, `NODE_UNSUPPORTED`. */
export function readInstance(name: string, io: Places): readonly Endpoint[] | undefined {
  if (!/^[\w.+-]+$/.test(name) || /^\.+$/.test(name)) return undefined;
  const path = join(instancesFolder(io), name);
  let instance: Instance;
  try {
    instance = JSON.parse(readFileSync(path, 'utf8')) as Instance;
  } catch (error) {
    if (hasErrno(error, 'ENOENT', 'ENOTDIR', 'EISDIR')) return undefined;
    throw cliError('CONFIG_INVALID', `read buildx's instance "${path}": ${reasonOf(error)}`, { cause: error });
  }
  const { Nodes: nodes = [], Driver: driver = '' } = instance;
  return nodes.map((node): Endpoint => {
    const tls = node.DriverOpts ?? {};
    const common = {
      name: nodes.length > 1 ? `${name}/${node.Name ?? ''}` : name,
      platforms: platformsOf((node.Platforms ?? []).map((platform) => formatPlatform(lower(platform)))),
    };
    const endpoint = node.Endpoint ?? '';
    switch (driver) {
      case 'remote':
        return {
          ...common,
          place: { kind: 'buildkit', address: endpoint },
          ...(['cacert', 'cert', 'key', 'servername'].some((key) => tls[key] !== undefined) && {
            tls: { ca: tls['cacert'], cert: tls['cert'], key: tls['key'], serverName: tls['servername'] },
          }),
        };
      case 'docker':
        return { ...common, place: { kind: 'docker', address: dockerHost(endpoint, io) } };
      case 'docker-container':
        return {
          ...common,
          place: {
            kind: 'container',
            container: `buildx_buildkit_${node.Name ?? ''}`,
            docker: dockerHost(endpoint, io),
          },
        };
      default:
        throw cliError('NODE_UNSUPPORTED', `build on buildx's instance "${name}": it has the driver "${driver}"`, {
          remedy: 'Use an instance with the driver remote, docker or docker-container.',
        });
    }
  });
}

/** Go writes the members of a platform as OCI names them. */
function lower(platform: Platform): Platform {
  const { os, architecture, variant } = platform;
  return { os, architecture, ...(variant !== undefined && variant !== '' && { variant }) };
}

/** The address of the Docker daemon that an endpoint of buildx means: an address, or a context of Docker's CLI. */
function dockerHost(endpoint: string, io: Places): string {
  if (/^(?:unix|tcp):\/\//.test(endpoint)) return endpoint;
  if (endpoint === '' || endpoint === 'default') return io.env['DOCKER_HOST'] || DOCKER_SOCKET;
  const folder = createHash('sha256').update(endpoint).digest('hex');
  const path = join(dockerFolder(io), 'contexts/meta', folder, 'meta.json');
  let host: string | undefined;
  try {
    const meta = JSON.parse(readFileSync(path, 'utf8')) as {
      Endpoints?: { docker?: { Host?: string } };
    };
    host = meta.Endpoints?.docker?.Host;
  } catch (error) {
    throw cliError('CONFIG_INVALID', `read Docker's context "${endpoint}" ("${dirname(path)}"): ${reasonOf(error)}`, {
      cause: error,
    });
  }
  if (host === undefined || !/^(?:unix|tcp):\/\//.test(host))
    throw cliError(
      'NODE_UNSUPPORTED',
      `build on Docker's context "${endpoint}": it is at "${host ?? ''}", which cannot be reached from here`,
      { remedy: 'Use a context whose host is unix:// or tcp://.' },
    );
  return host;
}
