/** The package `strake/buildkit`: a typed client and server of BuildKit's API. */
export { connectBuildKit, type BuildKit } from './connect-buildkit.ts';
export { serveFrontend } from './serve-frontend.ts';
export { serveBuildKit, type ServedBuildKit } from './serve-buildkit.ts';
export {
  decodeDefinition,
  encodeState,
  openSession,
  type DecodedDefinition,
  type EncodedDefinition,
  type OpenSession,
  type SessionOffer,
} from '../wire/buildkit/index.ts';
export {
  fromStatus,
  GrpcConnection,
  GrpcServer,
  openConnection,
  openDockerConnection,
  parseAddress,
  StatusError,
  type Client,
  type ClientTls,
  type GrpcAddress,
} from '../wire/grpc/index.ts';
export { remoteBuilder, remoteConnection, severalBuilders, type NodeBuilder } from '../serve/remote/index.ts';
export { CodedError, type SourcePlace, type Wait } from '../base/index.ts';
export type {
  Frontend,
  FrontendHost,
  FrontendRequest,
  Plan,
  PlannedImage,
  PlannedLayer,
  Ref,
  Resolved,
  Warning,
} from '../frontend/index.ts';
export { scratch, sourceState, State } from '../graph/index.ts';
export { formatPlatform, parseConfig, parsePlatform, type ImageConfig } from '../image/index.ts';
export { Control } from '../wire/gen/buildkit/control_pb.ts';
export { LLBBridge } from '../wire/gen/buildkit/gateway_pb.ts';
export * as ops from '../wire/gen/buildkit/ops_pb.ts';
