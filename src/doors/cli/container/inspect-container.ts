import { join } from 'node:path';
import { containerProcess, logFolder, restartText, type ContainerRecord } from '../../../machine/index.ts';
import { jsonText } from '../print/table.ts';
import type { CliContext } from '../command.ts';
import { openContainers } from './containers.ts';
import { found, isRunning } from './stop.ts';

/** All that is known of a container, in the shape of "docker container inspect" as far as it goes. */
export function containerJson(record: ContainerRecord, c: CliContext): unknown {
  const { spec } = record;
  const { config } = spec.config;
  const folder = openContainers(c).store.folderOf(record.id);
  const time = (at: number | undefined): string | null => (at === undefined ? null : new Date(at).toISOString());
  const user = record.user ?? { uid: 0, gid: 0, additionalGids: [] };
  const process = containerProcess(config ?? {}, spec.overrides, { id: record.id, user, ports: record.ports });
  const ports = Object.groupBy(record.ports, ({ port, protocol }) => `${port}/${protocol}`);
  const nameOf = (target: string): string | undefined => spec.volumes.find((one) => one.target === target)?.name;
  return {
    Id: record.id,
    Name: record.name,
    Created: time(record.createdAt),
    Args: process.args,
    State: {
      Status: record.status,
      Running: isRunning(record),
      Restarting: record.status === 'restarting',
      Lost: record.lost === true,
      ExitCode: record.exitCode ?? null,
      Error: record.error ?? '',
      StartedAt: time(record.startedAt),
      FinishedAt: time(record.finishedAt),
      ...(record.health === undefined ? {} : { Health: { Status: record.health, Said: record.healthSaid ?? '' } }),
    },
    RestartCount: record.restarts,
    Image: spec.imageId,
    ImageName: spec.image,
    Platform: [spec.platform.os, spec.platform.architecture, spec.platform.variant].filter(Boolean).join('/'),
    RunsOn: record.runsOn ?? null,
    Config: {
      Hostname: process.hostname,
      User: spec.overrides.user ?? config?.User ?? '',
      Env: process.env,
      Entrypoint: config?.Entrypoint ?? null,
      Cmd: config?.Cmd ?? null,
      WorkingDir: process.cwd,
      Labels: spec.labels,
      StopSignal: config?.StopSignal ?? 'SIGTERM',
      Tty: process.terminal !== undefined,
      OpenStdin: spec.interactive,
      ...(config?.Healthcheck === undefined ? {} : { Healthcheck: config.Healthcheck }),
    },
    HostConfig: {
      AutoRemove: spec.autoRemove,
      NetworkMode: process.network,
      RestartPolicy: restartText(spec.restart),
      ReadonlyRootfs: process.readonlyRoot === true,
      ExtraHosts: process.extraHosts.map(({ host, ip }) => `${host}:${ip}`),
      ShmSize: process.shmSize,
      LogConfig: { MaxBytes: spec.log.maxBytes, MaxFiles: spec.log.maxFiles },
    },
    Mounts: process.mounts.flatMap((mount) => {
      const common = { Type: nameOf(mount.target) === undefined ? mount.type : 'volume', Destination: mount.target };
      if (mount.type !== 'bind') return [common];
      return [{ ...common, Name: nameOf(mount.target), Source: mount.source, RW: !mount.readonly }];
    }),
    NetworkSettings: {
      Ports: Object.fromEntries(
        Object.entries(ports).map(([port, where = []]) => [
          port,
          where.map(({ hostAddress, hostPort }) => ({ HostIp: hostAddress ?? '0.0.0.0', HostPort: String(hostPort) })),
        ]),
      ),
    },
    Monitor: isRunning(record) ? (record.monitor?.pid ?? null) : null,
    LogPath: logFolder(folder),
    RecordPath: join(folder, 'container.json'),
  };
}

/** `strake container inspect`. */
export async function inspectContainers(names: readonly string[], c: CliContext): Promise<void> {
  const records = await found(names, c);
  c.io.stdout.write(jsonText(records.map(([, record]) => containerJson(record, c))));
}
