import type { Resources } from '../../graph/index.ts';
import { dockerfileError } from './errors.ts';
import type { FrontendRequest } from '../index.ts';

/** Limits of RUN steps from the options `memory`, `memswap`, `cpushares`, `cpuperiod`, `cpuquota`, `cpusetcpus` and `cpusetmems`; undefined without one. Throws `DOCKERFILE_OPTION`. */
export function readResources(options: FrontendRequest['options']): Resources | undefined {
  const found: Resources = {
    memory: positive('memory', options['memory']),
    memorySwap: swap(options['memswap']),
    cpuShares: positive('cpushares', options['cpushares']),
    cpuPeriod: positive('cpuperiod', options['cpuperiod']),
    cpuQuota: positive('cpuquota', options['cpuquota']),
    cpusetCpus: set('cpusetcpus', options['cpusetcpus']),
    cpusetMems: set('cpusetmems', options['cpusetmems']),
  };
  return Object.values(found).every((value) => value === undefined) ? undefined : found;
}

function positive(name: string, text: string | undefined): number | undefined {
  if (text === undefined || text === '') return undefined;
  const value = /^\+?\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
  if (value > 0) return value;
  throw wrong(name, text, 'must be > 0');
}

function swap(text: string | undefined): number | undefined {
  if (text === '-1') return -1;
  try {
    return positive('memswap', text);
  } catch {
    throw wrong('memswap', text ?? '', 'must be -1 (unlimited) or > 0');
  }
}

/** A list of numbers and ranges, as "0-2,7". */
function set(name: string, text: string | undefined): string | undefined {
  if (text === undefined || text === '') return undefined;
  if (text.split(',').every((part) => /^\d{1,5}(?:-\d{1,5})?$/.test(part.trim()))) return text;
  throw wrong(name, text, 'must be a list of numbers and ranges');
}

function wrong(name: string, text: string, detail: string): Error {
  return dockerfileError('DOCKERFILE_OPTION', `read option "${name}": invalid ${name} value: ${text}: ${detail}`, {
    remedy: 'Give bytes, microseconds or shares as a whole number, and a set as "0-2,7".',
  });
}
