/** The name of the machine that a process believes itself on, as under BuildKit. */
export const DEFAULT_HOSTNAME = 'buildkitsandbox';

/** Bytes of /dev/shm. */
export const DEFAULT_SHM = 64 << 20;
