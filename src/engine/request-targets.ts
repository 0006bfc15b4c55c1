import { parseReference } from '../image/index.ts';
import type { Codec } from '../tree/index.ts';
import type { BuildRequest } from './builder.ts';
import { codecFor } from './export/index.ts';

/** The registries that the request says may be spoken to without TLS. */
export function insecureOf({ exports, cacheFrom = [], cacheTo = [] }: BuildRequest): readonly string[] {
  const names = exports.flatMap((e) => (e.type === 'registry' && e.insecure ? e.names : []));
  const caches = [...cacheFrom, ...cacheTo].flatMap((e) => (e.type === 'registry' && e.insecure ? [e.ref] : []));
  return [...names, ...caches].map((name) => parseReference(name).registry);
}

/** How a cache of all steps wants their layers compressed. */
export function cacheCodecOf({ cacheTo = [] }: BuildRequest): Codec | undefined {
  for (const e of cacheTo)
    if (e.type !== 'inline' && e.mode === 'max' && e.compression?.name !== 'none') return codecFor(e.compression);
  return undefined;
}
