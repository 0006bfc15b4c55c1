export { runExecutor } from './executor-program.ts';
export { loginFromHelper } from './logins/logins.ts';
export { runWarmer } from './warmer-program.ts';
