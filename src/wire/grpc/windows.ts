/** Bytes under way on one call before its reader must take some: with HTTP/2's 64 KiB a build context crawls. */
const STREAM_WINDOW = 8 * 1024 * 1024;
/** The same for all calls of a connection. */
export const CONNECTION_WINDOW = 32 * 1024 * 1024;
/** Bytes of the largest message that is taken: what gRPC's peers in Go allow BuildKit's clients. */
export const MESSAGE_LIMIT = 16 * 1024 * 1024;
/** Bytes of all headers of a call: patterns of a build context travel as headers, one each. */
const HEADERS_LIMIT = 4 * 1024 * 1024;

/** Bytes of the largest frame that is taken: a packet of a file is one, not three. */
const FRAME_SIZE = 256 * 1024;

/** Both ends of a connection, in Node's terms. */
export const SESSION = {
  settings: {
    initialWindowSize: STREAM_WINDOW,
    maxFrameSize: FRAME_SIZE,
    maxHeaderListSize: HEADERS_LIMIT,
    maxConcurrentStreams: 1000,
  },
  maxHeaderListPairs: 100_000,
  maxSendHeaderBlockLength: HEADERS_LIMIT,
  /** Megabytes; Node counts what waits in all windows, and ends connections above it. */
  maxSessionMemory: 1024,
} as const;
