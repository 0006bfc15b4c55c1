import { errorTable } from '../../../base/index.ts';

/** What goes wrong between a client and the server that it has opened a session to. */
export const sessionError = errorTable(
  {
    SESSION_INVALID: 'invalid',
    SESSION_GONE: 'unavailable',
    SESSION_NOT_OFFERED: 'not_found',
    SESSION_PROTOCOL: 'denied',
    SESSION_LIMIT: 'exhausted',
    SESSION_FILES: 'failed',
    SESSION_FILE_UNREADABLE: 'denied',
    SESSION_SINK: 'failed',
  },
  {
    SESSION_PROTOCOL: 'Update the client; if it is up to date, report it.',
    SESSION_GONE: 'Run the build again.',
    SESSION_FILE_UNREADABLE: 'Make it readable for the user who builds, or leave it out by .dockerignore.',
  },
);
