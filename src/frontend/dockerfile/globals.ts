import type { Platform } from '../../blob/index.ts';
import { formatPlatform } from '../../image/index.ts';
import { Environment } from './environment.ts';
import { located } from './errors.ts';
import { expand } from './expand.ts';
import type { ArgInstruction } from './instruction.ts';
import type { OutlineArgument } from './outline-argument.ts';
import { commentFor } from './comment-for.ts';
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

/** An ARG before the first FROM, as an outline shows it. */
export interface GlobalArgument extends OutlineArgument {
  /** Names that its default refers to. */
  readonly references: ReadonlySet<string>;
}

/** The global scope after the ARGs before the first FROM, and these. */
export function globalScope(
  start: Environment,
  args: readonly ArgInstruction[],
  o: { readonly buildArgs: ReadonlyMap<string, string>; readonly escape: '\\' | '`'; readonly places: Places },
): { readonly values: Environment; readonly declared: ReadonlyMap<string, GlobalArgument> } {
  let values = start;
  const declared = new Map<string, GlobalArgument>();
  for (const instruction of args)
    for (const arg of instruction.args) {
      const given = o.buildArgs.get(arg.key);
      try {
        const found = given === undefined && arg.value !== undefined ? expand(arg.value, values, o) : undefined;
        const value = given ?? found?.text;
        const references = new Set(found?.matched);
        // One that refers to itself refers to what that did.
        if (references.delete(arg.key))
          for (const name of declared.get(arg.key)?.references ?? []) references.add(name);
        const description = commentFor(arg.key, instruction.comments);
        const { range } = instruction;
        declared.set(arg.key, { name: arg.key, value: value ?? '', description, range, references });
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
