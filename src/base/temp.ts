import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Random } from './clock.ts';

/** A new empty folder under `parent`, mode 0700, removed with everything in it at the end of the scope. */
export function tempFolder(parent: string, random: Random): { readonly path: string } & Disposable {
  const path = join(parent, `tmp-${process.pid}-${random.hex(6)}`);
  mkdirSync(path, { recursive: true, mode: 0o700 });
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}
