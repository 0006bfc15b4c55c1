export { buildpackError } from './errors.ts';
export type * from './model/types.ts';
