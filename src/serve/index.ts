export { serveError } from './errors.ts';
export { BuildServer, type ServerInit } from './server.ts';
export type { GcPolicy, ServerInfo } from './control/worker-record.ts';
