import { usage } from '../errors.ts';
import { csvFields, csvLine, csvPairs } from './csv.ts';
import { booleanOf } from './values.ts';

const REMEDY = 'Write type=provenance or type=sbom, then attributes, as type=provenance,mode=max.';

export interface AttestFlags {
  readonly attest?: readonly string[] | undefined;
  readonly provenance?: string | undefined;
  readonly sbom?: string | undefined;
}

/** `--attest`, `--provenance` and `--sbom` as the engine's options `attest:TYPE`, by buildx's rules: a value is true, false or attributes; nothing is attested that nobody asked for. */
export function attestationsOf({ attest = [], provenance, sbom }: AttestFlags): Record<string, string> {
  const found = new Map<string, string | undefined>();
  const add = (type: string, text: string | undefined): void => {
    if (found.has(type))
      throw usage(`read attestations: there are two of type "${type}"`, 'Ask once, with all that is to be said of it.');
    found.set(type, text);
  };
  for (const text of attest) {
    const pairs = csvPairs(text, '--attest');
    const type = pairs.get('type') ?? '';
    if (type !== 'provenance' && type !== 'sbom')
      throw usage(
        `read --attest "${text}": ${type === '' ? 'the type is missing' : `there is no type "${type}"`}`,
        REMEDY,
      );
    add(
      type,
      attributesOf(
        csvFields(text, '--attest').filter((field) => !/^\s*type\s*=/i.test(field)),
        pairs,
      ),
    );
  }
  for (const [type, text] of [['provenance', provenance] as const, ['sbom', sbom] as const])
    if (text !== undefined) add(type, shorthandOf(text, `--${type}`));
  return Object.fromEntries(
    [...found].flatMap(([type, text]) => (text === undefined ? [] : [[`attest:${type}`, text] as const])),
  );
}

function shorthandOf(text: string, what: string): string | undefined {
  if (!text.includes('=')) return booleanOf(text, what) ? '' : undefined;
  return attributesOf(csvFields(text, what), csvPairs(text, what));
}

/** Undefined where they say `disabled=true`. */
function attributesOf(fields: readonly string[], pairs: ReadonlyMap<string, string>): string | undefined {
  const disabled = pairs.get('disabled');
  if (disabled !== undefined && booleanOf(disabled, 'attestation attribute "disabled"')) return undefined;
  return csvLine(fields.filter((field) => !/^\s*disabled\s*=/i.test(field)));
}
