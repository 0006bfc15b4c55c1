export { withAppPort } from './app-port.ts';
export { startContainer, type Container, type ContainerEvent, type ContainerRequest } from './container.ts';
export { commandOf, containerProcess, environmentOf, userOf, type RunOverrides } from './container-process.ts';
export { parseEnvFile } from './env-file.ts';
export { machineError } from './errors.ts';
export type { Health } from './health.ts';
export { exposedPorts, parsePublish, type PortRequest } from './ports.ts';
export { signalName, signalNumber } from './signals.ts';
export { parseTmpfs, parseVolume, volumeMount, type VolumeRequest } from './volumes.ts';
