import { posix } from 'node:path';
import type { Wait } from '../base/index.ts';
import type { FrontendHost, Ref } from '../frontend/index.ts';
import { scratch, type OpMount } from '../graph/index.ts';
import { hostPlatform } from '../image/index.ts';
import { fromWirePlatform } from '../wire/buildkit/index.ts';
import { CacheSharingOpt, MountType, NetMode, type Mount } from '../wire/gen/buildkit/ops_pb.ts';
import type { NewContainerRequest } from '../wire/gen/buildkit/gateway_pb.ts';
import { gatewayError } from './errors.ts';
import type { HeldContainer } from './held-container.ts';
import type { Held, Steering } from './steering.ts';

/** Sets a container up by what a client calls it. Throws `CONTAINER_EXISTS`, `REF_UNKNOWN`, what `FrontendHost.container` throws. */
export async function newContainer(steering: Steering, request: NewContainerRequest, w: Wait): Promise<void> {
  const { ContainerID: id, Mounts } = request;
  const { containers } = steering;
  if (containers.has(id)) throw gatewayError('CONTAINER_EXISTS', `Container ${id} already exists`);
  const { host } = await steering.engaged(w);
  if (!host.container) throw gatewayError('SOLVE_UNSUPPORTED', `set up container ${id}: there are none to be had here`);
  const setUp = mountsOf(Mounts, { steering, host, w });
  const opening = setUp.then(async ({ mounts, refs }) => {
    const container = await host.container!(
      {
        mounts,
        refs,
        platform: request.platform ? fromWirePlatform(request.platform) : hostPlatform(process),
        network: networkOf(request.Network),
        hostname: request.hostname,
        extraHosts: request.extraHosts.map(({ Host: name, IP: ip }) => ({ host: name, ip })),
      },
      w,
    );
    return { container, targets: Mounts.map(({ dest }) => targetOf(dest)) };
  });
  opening.catch(() => containers.delete(id));
  containers.set(id, opening);
  await opening;
}

/** Throws `CONTAINER_UNKNOWN`. */
export async function containerOf(steering: Steering, id: string): Promise<HeldContainer> {
  const held = steering.containers.get(id);
  if (!held) throw gatewayError('CONTAINER_UNKNOWN', `container "${id}" previously released or not created`);
  return held;
}

export async function releaseContainer(steering: Steering, id: string): Promise<void> {
  const { container } = await containerOf(steering, id);
  steering.containers.delete(id);
  await container[Symbol.asyncDispose]();
}

/** A path of a mount as processes see it. Throws `SOLVE_INVALID`. */
export function pathIn({ targets }: HeldContainer, index: number, path: string): string {
  const target = targets[index];
  if (target === undefined)
    throw gatewayError('SOLVE_INVALID', `mount index ${index} is out of bounds (${targets.length} available)`);
  return posix.join('/', target, posix.join('/', path));
}

function targetOf(dest: string): string {
  return posix.join('/', dest);
}

interface Making {
  readonly steering: Steering;
  readonly host: FrontendHost;
  readonly w: Wait;
}

async function mountsOf(wire: readonly Mount[], m: Making): Promise<{ mounts: OpMount[]; refs: Ref[] }> {
  const refs: Ref[] = [];
  const mounts: OpMount[] = [];
  for (const mount of wire) {
    const { resultID: id, mountType, selector } = mount;
    const held = id === '' ? undefined : m.steering.held(id);
    const isTree = mountType === MountType.BIND || (mountType === MountType.CACHE && held && !held.folder);
    if (isTree) refs.push(id === '' ? await m.host.solve(scratch, m.w) : (await m.steering.solved(id, m.w)).ref);
    mounts.push(mountOf(mount, { held, input: isTree ? refs.length - 1 : undefined, source: held && selector }));
  }
  return { mounts, refs };
}

function mountOf(
  mount: Mount,
  o: { readonly held: Held | undefined; readonly input: number | undefined; readonly source: string | undefined },
): OpMount {
  const { readonly, mountType } = mount;
  const target = targetOf(mount.dest);
  const source = o.source === undefined || o.source === '' ? undefined : posix.join('/', o.source);
  const { input } = o;
  switch (mountType) {
    case MountType.BIND:
      return { type: 'bind', target, input: input ?? 0, source, readonly };
    case MountType.CACHE: {
      const { ID = '', sharing = CacheSharingOpt.SHARED } = mount.cacheOpt ?? {};
      const how = (['shared', 'private', 'locked'] as const)[sharing] ?? 'shared';
      const { mode = 0o755, uid = 0, gid = 0 } = o.held?.folder ?? {};
      const start = o.held?.folder ? {} : { input, source };
      return { type: 'cache', target, id: ID || mount.dest, sharing: how, readonly, mode, uid, gid, ...start };
    }
    case MountType.TMPFS:
      return { type: 'tmpfs', target, size: Number(mount.TmpfsOpt?.size ?? 0n) || undefined };
    case MountType.SECRET: {
      const { ID: id = '', uid = 0, gid = 0, mode = 0o400, optional = false } = mount.secretOpt ?? {};
      return { type: 'secret', target, id, required: !optional, mode: mode & 0o777, uid, gid };
    }
    case MountType.SSH: {
      const { ID = '', uid = 0, gid = 0, mode = 0o600, optional = false } = mount.SSHOpt ?? {};
      return { type: 'ssh', target, id: ID || 'default', required: !optional, mode: mode & 0o777, uid, gid };
    }
    default:
      throw gatewayError('SOLVE_UNSUPPORTED', `mount type ${String(mountType)} not implemented`);
  }
}

function networkOf(network: NetMode): 'default' | 'none' | 'host' {
  if (network === NetMode.HOST) return 'host';
  return network === NetMode.NONE ? 'none' : 'default';
}
