import { CodedError } from '../../base/index.ts';
import { dockerfileError } from './errors.ts';
import type { StageInstruction } from './instruction.ts';
import { parseInstruction } from './instructions.ts';
import { parseDockerfile } from './parser.ts';
import { fixedPlaces, SourceText, type Places, type Range } from './text.ts';

/** Parses ONBUILD triggers of a base. Everything in them, errors too, has the place of the FROM that brings them. */
export function parseTriggers(triggers: readonly string[], from: Range, places: Places): readonly StageInstruction[] {
  const fixed = fixedPlaces(places, from);
  const place = places.place(from);
  return triggers.map((text) => {
    try {
      const { instructions } = parseDockerfile(new SourceText(places.file, text));
      const [node, more] = instructions;
      if (node === undefined || more !== undefined)
        throw dockerfileError('DOCKERFILE_INSTRUCTION', 'onbuild trigger should be a single expression', {
          remedy: 'Build the base again with one instruction for each ONBUILD.',
        });
      const instruction = parseInstruction({ ...node, range: from }, fixed);
      if (instruction.kind === 'from' || instruction.kind === 'onbuild' || instruction.kind === 'maintainer')
        throw dockerfileError(
          'DOCKERFILE_INSTRUCTION',
          `${node.keyword.text.toUpperCase()} isn't allowed as an ONBUILD trigger`,
          {
            remedy: 'Build the base again without that trigger.',
          },
        );
      return instruction;
    } catch (error) {
      if (!(error instanceof CodedError)) throw error;
      const { code, kind, remedy } = error;
      const message = `run ONBUILD trigger "${text.split('\n')[0] ?? ''}" of the base: ${error.message}`;
      throw new CodedError({ code, kind, message, remedy, place, cause: error });
    }
  });
}
