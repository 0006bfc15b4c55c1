export {
  create,
  fromBinary,
  fromJson,
  toBinary,
  toJson,
  type DescMessage,
  type DescService,
  type Message,
  type MessageInitShape,
  type MessageShape,
} from '@bufbuild/protobuf';
export { timestampDate, timestampFromMs, timestampMs, type Any, type Timestamp } from '@bufbuild/protobuf/wkt';
export {
  Code,
  ConnectError,
  type CallOptions,
  type Client,
  type ConnectRouter,
  type HandlerContext,
  type ServiceImpl,
} from '@connectrpc/connect';
export { formatAddress, parseAddress, type GrpcAddress } from './address.ts';
export { GrpcConnection, openConnection, type ClientOptions, type ClientTls } from './client.ts';
export { openDockerConnection, type DockerConnection } from './docker.ts';
export { grpcError } from './errors.ts';
export { messageStream, type MessageStream } from './message-stream.ts';
export { GrpcServer, peerKey, type ListenOptions, type Peer, type ServerOptions, type ServerTls } from './server.ts';
export { fromStatus, toStatus, type StatusDetails } from './status.ts';
