import { encodeToml } from '../../../base/index.ts';
import { TomlTable } from './toml-table.ts';
import type { RunImage } from './types.ts';

/** run.toml: the run images of a builder, the first is its default (platform.md). Throws CNB_FILE_INVALID, INVALID_TOML. */
export function parseRunToml(text: string, file: string): readonly RunImage[] {
  return TomlTable.parse(text, file).tables('images').map(readRunImage);
}

export const encodeRunToml = (images: readonly RunImage[]): string => encodeToml({ images: images.map(runImageTable) });

/** stack.toml, which run.toml took the place of with Platform API 0.12. Undefined where it names no image. */
export function parseStackToml(text: string, file: string): RunImage | undefined {
  const top = TomlTable.parse(text, file);
  return top.has('run-image') ? readRunImage(top.table('run-image')) : undefined;
}

export const encodeStackToml = (image: RunImage): string => encodeToml({ 'run-image': runImageTable(image) });

function readRunImage(table: TomlTable): RunImage {
  const image = table.text('image') ?? '';
  const mirrors = table.list('mirrors');
  if (image === '' && mirrors.length > 0) throw table.fail('mirrors', 'stands without an "image"');
  return { image, mirrors };
}

const runImageTable = ({ image, mirrors }: RunImage): Record<string, unknown> => ({
  image: image || undefined,
  mirrors: mirrors.length === 0 ? undefined : mirrors,
});
