/** The time, handed in by the door, so that no room reads the machine's own. */
export interface Clock {
  /** Milliseconds since the Unix epoch. */
  now(): number;
}

/** Randomness, handed in by the door. Used for names of temporary things, never for a key, digest or layer. */
export interface Random {
  /** `bytes` random bytes as lower-case hexadecimal. */
  hex(bytes: number): string;
}

export const systemClock: Clock = { now: () => Date.now() };
