import type { Mirror } from '../../../registry/index.ts';
import type { Settings } from '../settings.ts';
import type { CliContext } from '../command.ts';
import { readUserConfig } from './user-config.ts';

/** The settings with the mirrors of registries that the user has set for builds with buildpacks (`strake config registry-mirrors`); `*` stands for every registry. */
export function mirroredSettings({ settings, io }: Pick<CliContext, 'settings' | 'io'>): Settings {
  const { registryMirrors } = readUserConfig(io);
  if (Object.keys(registryMirrors).length === 0) return settings;
  return {
    ...settings,
    registries: { ...settings.registries, mirrors: (registry) => mirrorsFor(registry, registryMirrors) },
  };
}

/** Where a registry is asked first. */
export function mirrorsFor(registry: string, mirrors: Readonly<Record<string, string>>): readonly Mirror[] {
  const names = HUB.includes(registry) ? HUB : [registry];
  const text = names.map((name) => mirrors[name]).find((one) => one !== undefined) ?? mirrors['*'];
  if (text === undefined) return [];
  const [host = '', ...path] = text
    .replace(/^https?:\/\//, '')
    .replace(/\/+$/, '')
    .split('/');
  return [{ host, path: path.length > 0 ? path.join('/') : undefined, capabilities: ['pull', 'resolve'] }];
}

const HUB: readonly string[] = ['docker.io', 'index.docker.io', 'registry-1.docker.io'];
