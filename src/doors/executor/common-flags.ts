import type { Flag } from './flag.ts';

/** Flags of logging, of every program. */
export const LOGGING_FLAGS: readonly Flag[] = [
  {
    name: 'verbosity',
    short: 'v',
    kind: 'text',
    fallback: 'info',
    about: 'Log level (trace, debug, info, warn, error, fatal, panic)',
    standing: 'same',
  },
  { name: 'log-format', kind: 'text', fallback: 'color', about: 'Log format (text, color, json)', standing: 'same' },
  { name: 'log-timestamp', kind: 'bool', about: 'Timestamp in log output', standing: 'same' },
];

/** How registries are reached, of every program. */
export const REGISTRY_FLAGS: readonly Flag[] = [
  {
    name: 'insecure',
    kind: 'bool',
    about: 'Push to a registry by plain HTTP',
    standing: 'differs',
    note: 'TLS is tried first, its certificate not checked, then plain HTTP',
  },
  { name: 'skip-tls-verify', kind: 'bool', about: 'Check no certificate of any registry', standing: 'same' },
  {
    name: 'insecure-pull',
    kind: 'bool',
    about: 'Pull from any registry by plain HTTP',
    standing: 'differs',
    note: 'holds for pushes, too: a registry is spoken to in one way',
    says: true,
  },
  {
    name: 'skip-tls-verify-pull',
    kind: 'bool',
    about: 'Check no certificate when pulling',
    standing: 'differs',
    note: 'holds for pushes, too, as --skip-tls-verify does; kaniko 1.24 and later ignore it',
    says: true,
  },
  {
    name: 'push-retry',
    kind: 'int',
    fallback: '0',
    about: 'Number of retries for the push',
    standing: 'differs',
    note: 'each request is tried 6 times anyway, and this many times more; what has been pushed is not pushed again',
  },
  {
    name: 'push-ignore-immutable-tag-errors',
    kind: 'bool',
    about: 'Known errors of immutable tags are no failure',
    standing: 'same',
  },
  {
    name: 'image-download-retry',
    kind: 'int',
    fallback: '0',
    about: 'Number of retries for downloading a base image',
    standing: 'differs',
    note: 'each request is tried 6 times anyway, and this many times more; a download goes on where it broke off',
  },
  {
    name: 'insecure-registry',
    kind: 'list',
    about: 'A registry that may be spoken to by plain HTTP',
    standing: 'same',
  },
  {
    name: 'skip-tls-verify-registry',
    kind: 'list',
    about: 'A registry whose certificate is not checked',
    standing: 'same',
  },
  {
    name: 'registry-certificate',
    kind: 'pairs',
    about: 'An authority to trust for a registry, as registry=/path',
    standing: 'same',
  },
  {
    name: 'registry-client-cert',
    kind: 'pairs',
    about: 'A client certificate for a registry, as registry=/cert,/key',
    standing: 'same',
  },
  {
    name: 'registry-map',
    kind: 'map',
    env: 'KANIKO_REGISTRY_MAP',
    about: 'Registries to ask instead, as from=to;from=to/path',
    standing: 'same',
  },
  {
    name: 'registry-mirror',
    kind: 'list',
    env: 'KANIKO_REGISTRY_MIRROR',
    about: 'A mirror to ask instead of docker.io',
    standing: 'same',
  },
  {
    name: 'skip-default-registry-fallback',
    kind: 'bool',
    about: 'Do not ask the registry itself for what no mirror has',
    standing: 'same',
  },
  {
    name: 'credential-helpers',
    kind: 'list',
    about: 'Sources of logins beside the files: env, google, ecr, acr, gitlab; all by default, "" for none',
    standing: 'same',
  },
  {
    name: 'azure-container-registry-config',
    kind: 'text',
    about: 'Path of a file with a login for Azure',
    standing: 'accepted',
    note: 'logins for Azure come from its environment variables',
    hidden: true,
  },
];
