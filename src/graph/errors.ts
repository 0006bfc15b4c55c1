import { errorTable } from '../base/index.ts';

export const graphError = errorTable({ GIT_ADDRESS_INVALID: 'invalid' });
