import { buildpackError } from '../errors.ts';

/** What of an extension's Dockerfile decides how it is used (image_extension.md, Phase: Generation). */
export interface GeneratedDockerfile {
  /** What its FROM names: undefined for `${base_image}`. */
  readonly from: string | undefined;
  /** It has instructions besides ARG and FROM. */
  readonly extends: boolean;
  /** Instructions that an extension should not use. */
  readonly unusual: readonly string[];
}

const USUAL = new Set(['FROM', 'ADD', 'ARG', 'COPY', 'ENV', 'LABEL', 'RUN', 'SHELL', 'USER', 'WORKDIR']);

/** Reads as much of a Dockerfile as the rules for extensions need: one stage on `${base_image}`, or, for the run image, on another image. Throws `CNB_FILE_INVALID`. */
export function readGenerated(text: string, o: { file: string; kind: 'build' | 'run' }): GeneratedDockerfile {
  const instructions = instructionsOf(text);
  const fail = (detail: string, remedy: string): Error =>
    buildpackError('CNB_FILE_INVALID', `read "${o.file}": ${detail}`, { remedy });
  const froms = instructions.filter(({ name }) => name === 'FROM');
  if (froms.length !== 1)
    throw fail(`it has ${froms.length} stages`, 'Write one stage, beginning with FROM ${base_image}.');
  const first = froms[0];
  const image = /^(?:--\S+\s+)*(\S+)/.exec(first?.rest ?? '')?.[1] ?? '';
  const isBase = /^"?\$(?:\{base_image\}|base_image)"?$/.test(image);
  if (o.kind === 'build' && !isBase)
    throw fail(`its FROM is "${image}"`, 'An extension of the build image begins with FROM ${base_image}.');
  const before = instructions.slice(0, first ? instructions.indexOf(first) : 0);
  if (isBase && !before.some(({ name, rest }) => name === 'ARG' && /^base_image\b/.test(rest)))
    throw fail('base_image is no ARG before its FROM', 'Begin with ARG base_image.');
  return {
    from: isBase ? undefined : image,
    extends: instructions.some(({ name }) => name !== 'FROM' && name !== 'ARG'),
    unusual: instructions.map(({ name }) => name).filter((name) => !USUAL.has(name)),
  };
}

/** Instructions by name, with continued lines put together, comments and here-documents left out. */
function instructionsOf(text: string): { readonly name: string; readonly rest: string }[] {
  const found: { name: string; rest: string }[] = [];
  const lines = text.split(/\r?\n/);
  for (let at = 0; at < lines.length; at++) {
    let line = lines[at] ?? '';
    if (/^\s*(#|$)/.test(line)) continue;
    while (/\\\s*$/.test(line) && at + 1 < lines.length) {
      const next = lines[++at] ?? '';
      line = /^\s*#/.test(next) ? line : `${line.replace(/\\\s*$/, ' ')}${next}`;
    }
    const [, name = '', rest = ''] = /^\s*(\S+)\s*(.*)$/.exec(line) ?? [];
    found.push({ name: name.toUpperCase(), rest });
    for (const [, , word = ''] of rest.matchAll(/<<-?(["']?)([A-Za-z_]\w*)\1/g))
      while (at + 1 < lines.length && (lines[++at] ?? '').trim() !== word);
  }
  return found;
}
