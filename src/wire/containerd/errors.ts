import { errorTable } from '../../base/index.ts';

/** Errors of what talks to containerd. What containerd answers has the code `GRPC_` and the name of its status (wire/grpc). */
export const containerdError = errorTable(
  {
    CONTAINERD_UNAVAILABLE: 'unavailable',
    CONTAINERD_DENIED: 'denied',
    CONTAINERD_UNSUPPORTED: 'unsupported',
  },
  {
    CONTAINERD_UNAVAILABLE: 'Start containerd, or say where it listens (address=/path/to/containerd.sock).',
    CONTAINERD_DENIED: "Run as root, or as a member of the socket's group.",
  },
);
