import type { ApiVersion } from '../../frontend/buildpack/index.ts';

/** The programs of a lifecycle. */
export const PHASE_NAMES = [
  'analyzer',
  'detector',
  'restorer',
  'extender',
  'builder',
  'exporter',
  'creator',
  'rebaser',
] as const;
export type PhaseName = (typeof PHASE_NAMES)[number];

/** An input of phases (platform.md, Lifecycle Interface): a flag, or an environment variable, the flag winning. */
export interface Flag {
  readonly name: string;
  readonly kind: 'text' | 'bool' | 'list';
  readonly env?: string | undefined;
  /** `<layers>` stands for the folder of layers. Absent: nothing, false. */
  readonly fallback?: string | undefined;
  readonly about: string;
  readonly phases: readonly PhaseName[];
  /** The Platform API that brought it, for one phase or for all. */
  readonly since?: ApiVersion | Partial<Readonly<Record<PhaseName, ApiVersion>>> | undefined;
  /** The first Platform API that has it no more. */
  readonly until?: ApiVersion | undefined;
}
