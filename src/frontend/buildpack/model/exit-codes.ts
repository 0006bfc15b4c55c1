import { CodedError, firstFailure } from '../../../base/index.ts';

/** What the lifecycle does in one run of it. */
export type Phase = 'analyze' | 'detect' | 'restore' | 'generate' | 'extend' | 'build' | 'export' | 'rebase' | 'launch';

/** Codes that an error has wherever it comes up (platform.md, exit codes). */
const BY_ERROR: Readonly<Record<string, number>> = {
  CNB_PLATFORM_API_UNSUPPORTED: 11,
  CNB_BUILDPACK_API_UNSUPPORTED: 12,
  CNB_NOT_DETECTED: 20,
  CNB_DETECT_FAILED: 21,
  CNB_BUILD_FAILED: 51,
  CNB_GENERATE_FAILED: 91,
};

/** Codes of all other errors of a phase. */
const BY_PHASE: Readonly<Record<Phase, number>> = {
  analyze: 32,
  detect: 22,
  restore: 42,
  generate: 92,
  extend: 102,
  build: 52,
  export: 62,
  rebase: 72,
  launch: 82,
};

export const INVALID_ARGUMENTS = 3;

/** The exit code of a phase that ended with this error. */
export function exitCodeOf(error: unknown, phase: Phase): number {
  const first = firstFailure(error);
  return (first instanceof CodedError ? BY_ERROR[first.code] : undefined) ?? BY_PHASE[phase];
}
