export {
  create,
  fromBinary,
  toBinary,
  toJson,
  type DescMessage,
  type DescService,
  type Message,
  type MessageInitShape,
  type MessageShape,
} from '@bufbuild/protobuf';
export { timestampDate, timestampFromMs, timestampMs, type Any, type Timestamp } from '@bufbuild/protobuf/wkt';
export { formatAddress, parseAddress, type GrpcAddress } from './address.ts';
export { GrpcConnection, openConnection, type ClientOptions, type ClientTls } from './client.ts';
export { openDockerConnection, type DockerConnection } from './docker.ts';
export { grpcError } from './errors.ts';
export { Metadata, type MetadataInit } from './metadata.ts';
export type { RawCall, RawHandler, RawRequest } from './raw-call.ts';
export { GrpcServer, type GivenSocket, type ListenOptions, type ServerOptions, type ServerTls } from './server.ts';
export type { Peer } from './peer.ts';
export type { CallOptions, Client, HandlerContext, Router, ServiceImpl } from './service.ts';
export { Code, fromStatus, StatusError, toStatus, type StatusDetail } from './status.ts';
