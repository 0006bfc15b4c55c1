import { withoutSecrets } from '../base/index.ts';
import type { Vertex } from '../graph/index.ts';

/** Characters of an instruction that are kept. */
const LONGEST = 400;

/** A step's name and its instruction as records may have them: as they are written, for with variables expanded they could hold what is not to be kept. */
export function textsOf({ label }: Vertex): readonly [name: string, text: string] {
  const [prefix = ''] = /^\[[^\]]*\] /.exec(label.name) ?? [];
  const written = label.written ?? label.place?.text;
  if (written === undefined) return [withoutSecrets(label.name), withoutSecrets(label.name)];
  const text = shortened(withoutSecrets(written.replaceAll(/\\?\s*\n\s*/g, ' ').trim()));
  return [prefix + text, text];
}

function shortened(text: string): string {
  return text.length > LONGEST ? `${text.slice(0, LONGEST - 1)}…` : text;
}
