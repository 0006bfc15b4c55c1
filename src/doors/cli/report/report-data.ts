import type { GroundReport } from '../../../engine/index.ts';

import type { ExcerptLine, FailureNote } from '../failure.ts';
import type { Item, Warning } from '../progress/model.ts';

/** What a report tells of a build. Times are milliseconds since the epoch, sizes bytes. No secrets, but for what steps print. */
export interface ReportData {
  readonly title: string;
  readonly program: string;
  readonly outcome: 'built' | 'failed' | 'stopped';
  readonly startedAt: number;
  readonly endedAt: number;
  readonly ground?: GroundReport | undefined;
  readonly steps: readonly ReportStep[];
  readonly warnings: readonly Warning[];
  readonly failure?: ReportFailure | undefined;
  readonly images: readonly ReportImage[];
}

export type StepState = 'ran' | 'cached' | 'failed' | 'cancelled' | 'skipped';

export interface ReportStep {
  /** From 1. */
  readonly number: number;
  readonly id: string;
  readonly name: string;
  /** A stage, a phase of buildpacks, or what is done around them. */
  readonly phase: string;
  readonly state: StepState;
  readonly internal: boolean;
  readonly startedAt?: number | undefined;
  readonly endedAt?: number | undefined;
  /** How it was found; `from` is a cache elsewhere. */
  readonly cached?: { readonly by: 'recipe' | 'content'; readonly from?: string | undefined } | undefined;
  /** Why it ran. */
  readonly why: readonly string[];
  readonly place?: { readonly file: string; readonly line: number; readonly text?: string | undefined } | undefined;
  /** Numbers of the steps that it stands on. */
  readonly inputs: readonly number[];
  readonly error?: string | undefined;
  readonly notes: readonly string[];
  readonly items: readonly {
    readonly name: string;
    readonly current: number;
    readonly unit: Item['unit'];
    readonly took: number;
  }[];
  readonly log: ReportLog;
}

export interface ReportLine {
  /** Since the step began. */
  readonly at: number;
  readonly stream: 'stdout' | 'stderr';
  readonly text: string;
}

/** What a step printed: its beginning and its end, `left` lines between them left out. */
export interface ReportLog {
  readonly head: readonly ReportLine[];
  readonly left: number;
  readonly tail: readonly ReportLine[];
}

export interface ReportFailure {
  readonly code: string;
  readonly message: string;
  readonly place?: string | undefined;
  readonly excerpt: readonly ExcerptLine[];
  readonly remedy?: string | undefined;
  readonly notes: readonly FailureNote[];
  /** The step that failed. */
  readonly step?: number | undefined;
}

export interface ReportImage {
  readonly platform: string;
  readonly id: string;
  readonly names: readonly string[];
  /** Undefined where the image is not in the store. */
  readonly facts?: ImageFacts | undefined;
}

/** What is in an image. */
export interface ImageFacts {
  /** Those that it has in the store. */
  readonly names: readonly string[];
  readonly size: number;
  readonly layers: readonly ReportLayer[];
  /** What it runs and as whom, by Docker's names. */
  readonly config: readonly (readonly [name: string, value: string])[];
  readonly labels: readonly (readonly [name: string, value: string])[];
  readonly processes: readonly ReportProcess[];
  readonly buildpacks: readonly { readonly id: string; readonly version: string }[];
  readonly components: readonly ReportComponent[];
  /** Why components that there are could not be read. */
  readonly sbomProblem?: string | undefined;
}

export interface ReportLayer {
  readonly diffId: string;
  readonly size?: number | undefined;
  readonly createdBy: string;
  /** The step that made it; absent for layers of the base. */
  readonly step?: number | undefined;
  readonly base: boolean;
}

export interface ReportProcess {
  readonly type: string;
  readonly command: string;
  readonly isDefault: boolean;
  readonly buildpack: string;
}

export interface ReportComponent {
  readonly name: string;
  readonly version: string;
  readonly licenses: string;
  readonly from: string;
}
