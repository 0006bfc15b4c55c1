const accepted = new WeakSet<object>();

/** Says that a stop is how a command is meant to end: its exit code is the command's own, not the signal's. */
export function acceptStop(signal: AbortSignal): void {
  if (typeof signal.reason === 'object' && signal.reason !== null) accepted.add(signal.reason as object);
}

export function isStopAccepted(signal: AbortSignal): boolean {
  return typeof signal.reason === 'object' && signal.reason !== null && accepted.has(signal.reason as object);
}
