/**
 * What the text after a flag is: `list` collects every use, `words` also splits at commas, `pairs` are key=value, `map` is a=b;c=d with several values for a key. Spans are milliseconds.
 */
export type FlagKind = 'bool' | 'text' | 'int' | 'span' | 'list' | 'words' | 'pairs' | 'map';

/** How a flag stands beside kaniko's: the same; the same but for what the note says; accepted, and the note is said when it is given. */
export type Standing = 'same' | 'differs' | 'accepted';

export interface Flag {
  readonly name: string;
  readonly short?: string | undefined;
  readonly kind: FlagKind;
  /** As kaniko's help has it; absent: nothing, false, 0. */
  readonly fallback?: string | undefined;
  /** Environment variable that stands for the flag. */
  readonly env?: string | undefined;
  readonly about: string;
  readonly standing: Standing;
  readonly note?: string | undefined;
  /** The note is said when the flag is given, as it is of every flag that is only accepted. */
  readonly says?: boolean | undefined;
  /** An old spelling of another flag. */
  readonly means?: string | undefined;
  /** Accepted but not shown in help. */
  readonly hidden?: boolean | undefined;
}
