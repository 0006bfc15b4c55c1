/** Bytes under way on one call before its reader must take some: with HTTP/2's 64 KiB a build context crawls. */
export const STREAM_WINDOW = 8 * 1024 * 1024;
/** The same for all calls of a connection. */
export const CONNECTION_WINDOW = 32 * 1024 * 1024;
/** Bytes of the largest message that is taken: what gRPC's peers in Go allow BuildKit's clients. */
export const MESSAGE_LIMIT = 16 * 1024 * 1024;
