import { LOGGING_FLAGS, REGISTRY_FLAGS } from './common-flags.ts';
import type { Flag } from './flag.ts';

const WARMER_SHARED = new Set([
  'insecure-pull',
  'skip-tls-verify-pull',
  'insecure-registry',
  'skip-tls-verify-registry',
  'registry-certificate',
  'registry-client-cert',
  'registry-map',
  'registry-mirror',
  'skip-default-registry-fallback',
  'image-download-retry',
  'credential-helpers',
  'azure-container-registry-config',
]);

/** `warmer`. */
export const WARMER_FLAGS: readonly Flag[] = [
  ...LOGGING_FLAGS,
  { name: 'image', short: 'i', kind: 'list', about: 'An image to bring into the folder', standing: 'same' },
  {
    name: 'cache-dir',
    short: 'c',
    kind: 'text',
    fallback: '/cache',
    about: 'The folder',
    standing: 'differs',
    note: 'one OCI layout for each image, as kaniko 1.28 writes them; tar files of older versions are not read',
  },
  { name: 'force', short: 'f', kind: 'bool', about: 'Bring images that are there anew', standing: 'same' },
  {
    name: 'cache-ttl',
    kind: 'span',
    fallback: '336h',
    about: 'Age at which an image is no longer used',
    standing: 'differs',
    note: 'an image that is older is brought anew; kaniko leaves it',
  },
  { name: 'custom-platform', kind: 'text', about: 'Platform of the images', standing: 'same' },
  {
    name: 'customPlatform',
    kind: 'text',
    about: 'The same, as kaniko spells it here',
    standing: 'same',
    means: 'custom-platform',
  },
  {
    name: 'dockerfile',
    short: 'd',
    kind: 'text',
    about: 'Path or URL of a Dockerfile whose bases are brought',
    standing: 'same',
  },
  { name: 'build-arg', kind: 'list', about: 'Value of an ARG in FROM lines', standing: 'same' },
  ...REGISTRY_FLAGS.filter(({ name }) => WARMER_SHARED.has(name)),
];
