import { packagesError } from './errors.ts';
import { suiteAndVariant, type BaseRequest } from './reference.ts';

const KEYS = ['suite', 'variant', 'packages', 'components', 'mirror', 'security-mirror'];

/**
 * The bases that `[bases]` of strake.toml names. `document` is the parsed file, `file` its name for messages:
 *
 *     [bases.web]
 *     suite = "bookworm-slim"
 *     packages = ["nginx-light", "curl=7.88.1-10+deb12u12"]
 *
 * Throws `BASES_INVALID`.
 */
export function basesTable(
  document: Readonly<Record<string, unknown>>,
  file = 'strake.toml',
): Map<string, BaseRequest> {
  const bases = new Map<string, BaseRequest>();
  const table = document['bases'];
  if (table === undefined) return bases;
  if (!isTable(table)) throw invalid(file, '"bases" is not a table');
  for (const [name, value] of Object.entries(table)) {
    const at = `[bases.${name}]`;
    if (!/^[a-z0-9][a-z0-9._-]*$/.test(name))
      throw invalid(file, `${at}: a name has lower-case letters, digits, ".", "_" and "-" only`);
    if (!isTable(value)) throw invalid(file, `${at} is not a table`);
    const unknown = Object.keys(value).find((key) => !KEYS.includes(key));
    if (unknown !== undefined) throw invalid(file, `${at}: unknown key "${unknown}"; known are ${KEYS.join(', ')}`);
    const text = (key: string): string | undefined => {
      const found = value[key];
      if (found !== undefined && (typeof found !== 'string' || found === ''))
        throw invalid(file, `${at}: "${key}" is not a text`);
      return found;
    };
    const list = (key: string): readonly string[] | undefined => {
      const found = value[key];
      if (
        found !== undefined &&
        !(Array.isArray(found) && found.every((item) => typeof item === 'string' && item !== ''))
      )
        throw invalid(file, `${at}: "${key}" is not a list of texts`);
      return found as readonly string[] | undefined;
    };
    const suite = text('suite');
    if (suite === undefined) throw invalid(file, `${at}: "suite" is missing`);
    const variant = text('variant');
    if (variant !== undefined && variant !== 'minbase' && variant !== 'slim')
      throw invalid(file, `${at}: "variant" is "${variant}"; known are minbase and slim`);
    const both = suiteAndVariant(suite);
    bases.set(name, {
      distribution: 'debian',
      suite: both.suite,
      variant: variant ?? both.variant,
      packages: list('packages') ?? [],
      components: list('components') ?? ['main'],
      mirror: text('mirror'),
      securityMirror: text('security-mirror'),
    });
  }
  return bases;
}

function isTable(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function invalid(file: string, detail: string): Error {
  return packagesError('BASES_INVALID', `read "${file}": ${detail}`);
}
