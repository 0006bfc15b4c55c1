export { connectRemote, remoteConnection, type RemoteConnection } from './connection.ts';
export { remoteError } from './errors.ts';
export { remoteBuilder } from './remote-builder.ts';
export type { RemoteBuilderOptions } from './remote-build.ts';
export type { LocalImage, MakeBase } from './source-resolver.ts';
export { severalBuilders, type JoinedIndex, type NodeBuilder } from './several-builders.ts';
export { askRemote, type RemoteInfo } from './workers.ts';
export { runFrontend, type FrontendOptions } from './run-frontend.ts';
