/** Something solved; only the host can look into it. */
export interface Ref {
  readonly id: string;
}
