export { askMonitor, askValue, converse, type AskOptions, type Conversation } from './ask-monitor.ts';
export { withAppPort } from './app-port.ts';
export { withExecEnv } from './exec-env.ts';
export { startContainer, type Container, type ContainerEvent, type ContainerRequest } from './container.ts';
export { commandOf, containerProcess, environmentOf, userOf, type RunOverrides } from './container-process.ts';
export { ContainerStore } from './container-store.ts';
export type { ExecQuestion, Question } from './control.ts';
export { parseEnvFile } from './env-file.ts';
export { machineError } from './errors.ts';
export type { Health } from './health.ts';
export { logFolder } from './log-files.ts';
export { serveFiles } from './serve-files.ts';
export { superviseContainer, type MonitorOptions, type MonitorRoot } from './monitor.ts';
export { exposedPorts, hostPort, parsePublish, type PortRequest } from './ports.ts';
export { readLog, type LogEntry } from './read-log.ts';
export { rootName, type ContainerRecord, type ContainerSpec, type ContainerStatus } from './record.ts';
export { parseRestart, restartText, startsAgain, type RestartPolicy } from './restart-policy.ts';
export { signalName, signalNumber } from './signals.ts';
export { VolumeStore, type Volume } from './volume-store.ts';
export {
  parseTmpfs,
  parseVolume,
  targetOf,
  volumeMount,
  type MountRequest,
  type NamedVolume,
  type VolumeRequest,
} from './volumes.ts';
