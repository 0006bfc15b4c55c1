import type { ContainerSpec } from './record.ts';

/** A container that tests ask for. */
export const SPEC: ContainerSpec = {
  image: 'registry.example/team/web:1',
  imageId: `sha256:${'0'.repeat(64)}`,
  platform: { os: 'linux', architecture: 'amd64' },
  config: { architecture: 'amd64', os: 'linux', rootfs: { type: 'layers', diff_ids: [] } },
  overrides: {},
  publish: [],
  publishAll: false,
  health: true,
  interactive: false,
  restart: { kind: 'no' },
  autoRemove: false,
  labels: {},
  volumes: [],
  log: { maxBytes: 1000, maxFiles: 2 },
};
