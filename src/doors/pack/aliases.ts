/** Commands by names that pack has given up: it warns of them. */
const LEGACY: Readonly<Record<string, string>> = {
  'create-builder': 'builder create',
  'inspect-builder': 'builder inspect',
  'suggest-builders': 'builder suggest',
  'set-default-builder': 'config default-builder',
  'set-run-image-mirrors': 'config run-image-mirrors add',
  'trust-builder': 'config trusted-builders add',
  'untrust-builder': 'config trusted-builders remove',
  'list-trusted-builders': 'config trusted-builders list',
  'package-buildpack': 'buildpack package',
  'create-package': 'buildpack package',
  'inspect-buildpack': 'buildpack inspect',
  'register-buildpack': 'buildpack register',
  'yank-buildpack': 'buildpack yank',
  'add-registry': 'config registries add',
  'list-registries': 'config registries list',
  'remove-registry': 'config registries remove',
  'set-default-registry': 'config registries default',
  'suggest-stacks': 'stack suggest',
  'inspect-image': 'inspect',
};

export const LEGACY_COMMANDS: readonly (readonly [old: string, now: string])[] = Object.entries(LEGACY);

/** The words with a command of today, and what pack says of the old one. */
export function withoutLegacy(argv: readonly string[]): {
  readonly argv: readonly string[];
  readonly warning?: string;
} {
  const at = argv.findIndex((word) => !word.startsWith('-'));
  const word = argv[at];
  const now = word === undefined || !Object.hasOwn(LEGACY, word) ? undefined : LEGACY[word];
  if (now === undefined) return { argv };
  return {
    argv: [...argv.slice(0, at), ...now.split(' '), ...argv.slice(at + 1)],
    warning: `Command 'pack ${word ?? ''}' has been deprecated, please use 'pack ${now}' instead`,
  };
}
