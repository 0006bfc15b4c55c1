import { errorTable } from '../base/index.ts';

export const snapshotError = errorTable(
  {
    SNAPSHOT_NOT_FOUND: 'not_found',
    SNAPSHOT_IN_USE: 'conflict',
    SNAPSHOT_CLOSED: 'internal',
    SNAPSHOT_LIMIT: 'unsupported',
    LAYER_UNSAFE: 'denied',
    LAYER_INVALID: 'invalid',
    LAYER_OWNER: 'unsupported',
    UNPACK_FULL: 'exhausted',
    UNPACK_FAILED: 'failed',
  },
  {
    SNAPSHOT_NOT_FOUND: 'Build again: what is missing is made anew.',
    SNAPSHOT_IN_USE: 'Wait until the other command has ended, and try again.',
    LAYER_UNSAFE:
      'Make or fetch the image again; if it is the same then, do not use it unless you know who made it, and why.',
    LAYER_INVALID:
      'Make or fetch the image again; if it is the same then, do not use it unless you know who made it, and why.',
    LAYER_OWNER:
      'Give this user a range of subordinate ids in /etc/subuid and /etc/subgid and install uidmap; "strake doctor" tells more.',
    UNPACK_FULL: 'Make room, for instance with "strake prune".',
    UNPACK_FAILED: 'See what the message says of this machine, and try again.',
  },
);
