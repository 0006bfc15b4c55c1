import type { RunFlags } from './flags.ts';

/** What of the flags only a container that is on record can have. */
export function wantsRecord(flags: RunFlags): boolean {
  return (
    flags.detach === true ||
    flags.name !== undefined ||
    flags.cidfile !== undefined ||
    (flags.restart !== undefined && flags.restart !== 'no') ||
    (flags.label ?? []).length > 0 ||
    (flags.labelFile ?? []).length > 0 ||
    (flags.logOpt ?? []).length > 0
  );
}
