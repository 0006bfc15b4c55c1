export { runDaemon } from './run-daemon.ts';
