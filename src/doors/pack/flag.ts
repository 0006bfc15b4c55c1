export type FlagKind = 'bool' | 'text' | 'list';

/** How a flag stands beside pack's: the same; the same but for what the note says; accepted, and the note is said when it is given; refused, with the note. */
export type Standing = 'same' | 'differs' | 'accepted' | 'refused';

/** A flag of a command of pack's. */
export interface Flag {
  readonly name: string;
  readonly short?: string | undefined;
  readonly kind: FlagKind;
  readonly about: string;
  readonly standing: Standing;
  readonly note?: string | undefined;
  /** It goes to strake's command as it is, under this name (`same`: its own). */
  readonly to?: 'same' | `--${string}` | undefined;
}
