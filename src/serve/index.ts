export { applyGcPolicy } from './control/disk-usage.ts';
export { serveError } from './errors.ts';
export { BuildServer } from './server.ts';
export type { BuildSpans, Tracing } from './tracing.ts';
export type { ServerInit } from './served.ts';
export type { GcPolicy, ServerInfo } from './control/worker-record.ts';
