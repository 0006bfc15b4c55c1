import type { Flag } from './flag.ts';

/** Flags of the whole program: they may stand anywhere. */
export const GLOBAL_FLAGS: readonly Flag[] = [
  { name: 'no-color', kind: 'bool', about: 'No colours', standing: 'same' },
  { name: 'force-color', kind: 'bool', about: 'Colours also where there is no terminal', standing: 'same' },
  {
    name: 'timestamps',
    kind: 'bool',
    about: 'A time before every line',
    standing: 'accepted',
    note: 'lines of a build have the seconds since the step began',
  },
  { name: 'quiet', short: 'q', kind: 'bool', about: 'Show less', standing: 'same' },
  { name: 'verbose', short: 'v', kind: 'bool', about: 'Show more', standing: 'same' },
  { name: 'help', short: 'h', kind: 'bool', about: 'Show help', standing: 'same' },
];

const POLICY: Flag = {
  name: 'pull-policy',
  kind: 'text',
  about: 'When images are fetched that are here: always (the default), never, if-not-present',
  standing: 'differs',
  note: "here is strake's store, not the daemon's",
  to: 'same',
};

const INSECURE: Flag = {
  name: 'insecure-registry',
  kind: 'list',
  about: 'A registry to speak to without TLS, or without trust in its certificate',
  standing: 'same',
  to: 'same',
};

const REPORT: Flag = {
  name: 'report-output-dir',
  kind: 'text',
  about: 'Folder for report.toml',
  standing: 'same',
  to: 'same',
};

const accepted = (name: string, kind: Flag['kind'], o: Pick<Flag, 'about' | 'note' | 'short'>): Flag => ({
  name,
  kind,
  standing: 'accepted',
  ...o,
});

export const BUILD_FLAGS: readonly Flag[] = [
  {
    name: 'path',
    short: 'p',
    kind: 'text',
    about: 'The application: a folder, or a zip or jar archive (default: this folder)',
    standing: 'same',
  },
  {
    name: 'builder',
    short: 'B',
    kind: 'text',
    about: 'The builder',
    standing: 'differs',
    note: 'where none is named or configured, strake builds with the one that it comes with; pack ends with 2',
    to: 'same',
  },
  { name: 'buildpack', short: 'b', kind: 'list', about: 'A buildpack, by any locator', standing: 'same', to: 'same' },
  {
    name: 'pre-buildpack',
    kind: 'list',
    about: 'A buildpack before those of each group',
    standing: 'same',
    to: 'same',
  },
  { name: 'post-buildpack', kind: 'list', about: 'A buildpack after them', standing: 'same', to: 'same' },
  {
    name: 'extension',
    kind: 'list',
    about: 'An image extension',
    standing: 'differs',
    note: 'works with builders of the store, any pull policy and OCI layouts, too',
    to: 'same',
  },
  {
    name: 'disable-system-buildpacks',
    kind: 'bool',
    about: 'Leave out the system buildpacks of the builder',
    standing: 'same',
    to: 'same',
  },
  {
    name: 'buildpack-registry',
    short: 'r',
    kind: 'text',
    about: 'Where buildpacks are looked up by their name',
    standing: 'same',
    to: 'same',
  },
  {
    name: 'env',
    short: 'e',
    kind: 'list',
    about: 'A variable for buildpacks; a name alone takes its value from here',
    standing: 'differs',
    note: 'a name that is not set here is left out; pack gives it an empty value',
    to: 'same',
  },
  { name: 'env-file', kind: 'list', about: 'Variables for buildpacks, one a line', standing: 'same', to: 'same' },
  { name: 'descriptor', short: 'd', kind: 'text', about: 'The project descriptor', standing: 'same', to: 'same' },
  {
    name: 'default-process',
    short: 'D',
    kind: 'text',
    about: 'What the image runs by default',
    standing: 'same',
    to: 'same',
  },
  { name: 'exec-env', kind: 'text', about: 'Execution environment', standing: 'same', to: 'same' },
  {
    name: 'publish',
    kind: 'bool',
    about: 'Push the image to its registry, and nowhere else',
    standing: 'same',
  },
  { name: 'tag', short: 't', kind: 'list', about: 'One more name', standing: 'same' },
  {
    name: 'cache',
    kind: 'text',
    about: 'Where the cache is: type=build|launch;format=volume|bind|image;name=…|source=…',
    standing: 'differs',
    note: 'volumes are names in the store; a launch cache is accepted and said to have no effect: layers of the image before are taken from where it lies; a bind cache is that of the lifecycle, so that pack can go on with it',
  },
  {
    name: 'cache-image',
    kind: 'text',
    about: 'Keep the cache in a registry',
    standing: 'differs',
    note: 'also without --publish',
    to: 'same',
  },
  { name: 'clear-cache', kind: 'bool', about: 'Begin without the cache', standing: 'same', to: 'same' },
  {
    name: 'previous-image',
    kind: 'text',
    about: 'The image before, if it goes by another name',
    standing: 'same',
    to: 'same',
  },
  { name: 'run-image', kind: 'text', about: 'What the image stands on', standing: 'same', to: 'same' },
  {
    name: 'creation-time',
    kind: 'text',
    about: 'When the image says it was made: seconds since 1970, or now',
    standing: 'same',
    to: 'same',
  },
  {
    name: 'network',
    kind: 'text',
    about: 'What buildpacks reach: none, host, or default (bridge)',
    standing: 'differs',
    note: 'networks of Docker by name do not exist here and are refused',
  },
  {
    name: 'volume',
    kind: 'list',
    about: 'Show buildpacks a folder of this machine',
    standing: 'differs',
    note: 'to read only: rw and volumes of Docker by name are refused',
    to: 'same',
  },
  { name: 'workspace', kind: 'text', about: 'Where the application lies', standing: 'same', to: 'same' },
  { name: 'platform', kind: 'text', about: 'What it is built for', standing: 'same', to: 'same' },
  POLICY,
  {
    name: 'docker-host',
    kind: 'text',
    about: 'The daemon: unix://…, or inherit',
    standing: 'differs',
    note: 'where the image goes; nothing runs in the daemon, and one behind TCP or SSH is refused',
  },
  accepted('lifecycle-image', 'text', { about: 'Image of the lifecycle', note: 'strake is the lifecycle itself' }),
  accepted('trust-builder', 'bool', {
    about: 'Trust the builder',
    note: 'no builder sees a credential, trusted or not',
  }),
  accepted('trust-extra-buildpacks', 'bool', {
    about: 'Trust further buildpacks',
    note: 'no buildpack sees a credential, trusted or not',
  }),
  accepted('gid', 'text', { about: 'Group of the build user', note: "the builder's CNB_GROUP_ID is used" }),
  accepted('uid', 'text', { about: 'Build user', note: "the builder's CNB_USER_ID is used" }),
  accepted('userns-host', 'bool', {
    about: "Docker's user namespace",
    note: 'steps have a user namespace of their own',
  }),
  accepted('interactive', 'bool', { about: 'Full-screen view', note: 'progress is shown as in every build' }),
  accepted('sparse', 'bool', {
    about: 'Layouts without the layers of the run image',
    note: 'layouts hold all layers',
  }),
  {
    name: 'sbom-output-dir',
    kind: 'text',
    about: 'Folder for the SBOM files',
    standing: 'differs',
    note: 'those that are in the image, not those of the build alone',
    to: 'same',
  },
  REPORT,
  INSECURE,
];

export const REBASE_FLAGS: readonly Flag[] = [
  { name: 'publish', kind: 'bool', about: 'Rebase it in its registry', standing: 'same', to: 'same' },
  { name: 'run-image', kind: 'text', about: 'The new base', standing: 'same', to: 'same' },
  POLICY,
  { name: 'previous-image', kind: 'text', about: 'The image to put on it', standing: 'same', to: 'same' },
  REPORT,
  { name: 'force', kind: 'bool', about: 'Also onto a run image that does not fit', standing: 'same', to: 'same' },
  INSECURE,
];

export const INSPECT_FLAGS: readonly Flag[] = [
  {
    name: 'bom',
    kind: 'bool',
    about: "The buildpacks' own bill of materials",
    standing: 'same',
    to: 'same',
  },
  {
    name: 'output',
    short: 'o',
    kind: 'text',
    about: 'human-readable, json, yaml or toml',
    standing: 'differs',
    note: "LOCAL is strake's store",
    to: 'same',
  },
];

export const SBOM_FLAGS: readonly Flag[] = [
  {
    name: 'remote',
    kind: 'bool',
    about: 'Of the image in its registry',
    standing: 'differs',
    note: "without it of the image in strake's store",
    to: 'same',
  },
  { name: 'output-dir', short: 'o', kind: 'text', about: 'Folder to write below', standing: 'same', to: 'same' },
];

export const REPORT_FLAGS: readonly Flag[] = [
  { name: 'explicit', short: 'e', kind: 'bool', about: 'Also names of images and registries', standing: 'same' },
];

export const COMPLETION_FLAGS: readonly Flag[] = [
  { name: 'shell', short: 's', kind: 'text', about: 'bash, fish or zsh (default: bash)', standing: 'same' },
];
