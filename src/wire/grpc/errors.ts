import { errorTable } from '../../base/index.ts';

/** Errors of connections that speak gRPC. What a server answers has the code `GRPC_` and the name of its status, and that status's kind. */
export const grpcError = errorTable({
  GRPC_ADDRESS: 'invalid',
  GRPC_TLS: 'invalid',
  GRPC_CONNECT: 'unavailable',
  GRPC_LISTEN: 'unavailable',
});
