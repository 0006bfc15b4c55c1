import { randomBytes } from 'node:crypto';
import type { Random } from './clock.ts';

export const systemRandom: Random = { hex: (bytes) => randomBytes(bytes).toString('hex') };
