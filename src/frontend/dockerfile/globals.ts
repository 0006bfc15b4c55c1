import type { Platform } from '../../blob/index.ts';
import { formatPlatform } from '../../image/index.ts';
import { Environment } from './environment.ts';
import { located } from './errors.ts';
import { expand } from './expand.ts';
import type { ArgInstruction } from './instruction.ts';
import type { Places } from './text.ts';

/** The arguments that exist without an ARG (facts 1.4). A build argument of the same name wins. */
export function predefined(
  build: Platform,
  target: Platform,
  o: { readonly stage: string; readonly buildArgs: ReadonlyMap<string, string> },
): Environment {
  const values: readonly (readonly [string, string])[] = [
    ['BUILDPLATFORM', formatPlatform(build)],
    ['BUILDOS', build.os],
    ['BUILDOSVERSION', build['os.version'] ?? ''],
    ['BUILDARCH', build.architecture],
    ['BUILDVARIANT', build.variant ?? ''],
    ['TARGETPLATFORM', fullPlatform(target)],
    ['TARGETOS', target.os],
    ['TARGETOSVERSION', target['os.version'] ?? ''],
    ['TARGETARCH', target.architecture],
    ['TARGETVARIANT', target.variant ?? ''],
    ['TARGETSTAGE', o.stage || 'default'],
  ];
  return new Environment(values.map(([name, value]) => [name, o.buildArgs.get(name) ?? value]));
}

/** The global scope after the ARGs before the first FROM, and their names. */
export function globalScope(
  start: Environment,
  args: readonly ArgInstruction[],
  o: { readonly buildArgs: ReadonlyMap<string, string>; readonly escape: '\\' | '`'; readonly places: Places },
): { readonly values: Environment; readonly declared: readonly string[] } {
  let values = start;
  const declared: string[] = [];
  for (const instruction of args)
    for (const arg of instruction.args) {
      declared.push(arg.key);
      const given = o.buildArgs.get(arg.key);
      try {
        const value = given ?? (arg.value === undefined ? undefined : expand(arg.value, values, o).text);
        if (value !== undefined) values = values.with(arg.key, value);
      } catch (error) {
        throw located(error, o.places.place(instruction.range));
      }
    }
  return { values, declared };
}

/** os[(version)]/arch[/variant]. */
export function fullPlatform(platform: Platform): string {
  const version = platform['os.version'] ?? '';
  const features = (platform['os.features'] ?? []).map((feature) => `+${feature}`).join('');
  const text = formatPlatform(platform);
  return version === '' && features === '' ? text : text.replace(/^[^/]*/, (os) => `${os}(${version}${features})`);
}
