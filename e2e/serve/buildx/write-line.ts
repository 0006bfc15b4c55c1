import * as alike from './alike.ts';
import type { Line } from './line.ts';

export const FILES = 'HOST/context';
export const file = (name: string): string[] => ['-f', `HOST/${name}.Dockerfile`];
/** Into a folder of the side's own, to be compared. */
export const local = (name: string): string[] => ['-o', `type=local,dest=OUT/${name}`];

type More = Partial<Line>;
export const build = (name: string, words: readonly string[], more: More = {}): Line => ({
  name,
  words: ['build', ...words],
  alike: alike.steps,
  ...more,
});
/** A build whose files are compared. */
export const files = (name: string, words: readonly string[], more: More = {}): Line => {
  const folder = name.replaceAll(/\W+/g, '-');
  return build(name, [...local(folder), ...words], { compare: [`dir:OUT/${folder}`], ...more });
};
/** A build whose image is compared. */
export const image = (name: string, words: readonly string[], more: More = {}): Line => {
  const archive = `OUT/${name.replaceAll(/\W+/g, '-')}.tar`;
  return build(name, ['--provenance=false', '-o', `type=oci,dest=${archive}`, ...words], {
    compare: [`oci-archive:${archive}`],
    ...more,
  });
};
/** A build that ends with the same code, the same excerpt of the file and last words of the same kind. */
export const fails = (name: string, says: RegExp, words: readonly string[], more: More = {}): Line => ({
  name: `fails: ${name}`,
  words: ['build', ...words],
  code: 1,
  says,
  excerpt: 'same',
  ...more,
});
