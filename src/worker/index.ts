export type { BuildHost, ByteChannel, ByteSink, Credential, Sink } from './build-host.ts';
