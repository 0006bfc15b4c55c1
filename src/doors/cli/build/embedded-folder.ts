import { join } from 'node:path';

/** Where what strake comes with lies: beside the bundle, or in the checkout. */
export function embeddedFolder(name: 'buildpacks' | 'launchers'): string {
  if (!import.meta.url.endsWith('.ts')) return join(import.meta.dirname, name);
  return join(import.meta.dirname, '../../../..', name === 'buildpacks' ? name : 'native/launcher');
}
