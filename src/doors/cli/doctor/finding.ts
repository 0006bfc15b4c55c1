/** One thing that was looked at. `lacking` costs something; `broken` stops builds with RUN or the use of the store. */
export interface Finding {
  readonly name: string;
  readonly state: 'ok' | 'lacking' | 'broken';
  /** What was found. */
  readonly text: string;
  /** What is lost without it, one sentence. */
  readonly lost?: string | undefined;
  readonly remedy?: string | undefined;
}

export interface Section {
  readonly title: string;
  readonly findings: readonly Finding[];
}
