import { errorTable } from '../../base/index.ts';

export const daemonError = errorTable({
  DAEMON_CONFIG: 'invalid',
  DAEMON_FLAG: 'invalid',
  DAEMON_RUNS: 'conflict',
  DAEMON_TLS: 'denied',
});
