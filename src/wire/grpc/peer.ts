/** The connection that a call came on: the same object for all its calls. */
export interface Peer {
  /** Fires when the connection has ended. */
  readonly gone: AbortSignal;
}
