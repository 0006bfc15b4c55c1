import type { Vertex } from '../../graph/index.ts';
import { SourceSchema, type Definition, type Source } from '../../wire/gen/buildkit/ops_pb.ts';
import { create } from '../../wire/grpc/index.ts';

/** Where a person wrote the ops of a definition, so that a daemon can say it (pb.Source). Of a file it has the lines that steps came from. */
export function sourceMapOf(
  { metadata }: Definition,
  stepOf: (wire: string) => Vertex | undefined,
): Source | undefined {
  const files = new Map<string, { readonly index: number; readonly lines: string[] }>();
  const locations: Source['locations'] = {};
  const map = create(SourceSchema, {});
  for (const wire of Object.keys(metadata)) {
    const place = stepOf(wire)?.label.place;
    if (!place) continue;
    let file = files.get(place.file);
    if (!file) files.set(place.file, (file = { index: files.size, lines: [] }));
    for (const [at, line] of (place.text ?? '').split('\n').entries()) file.lines[place.line - 1 + at] = line;
    const range = { start: { line: place.line }, end: { line: place.endLine ?? place.line } };
    locations[wire] = create(SourceSchema, {
      locations: { at: { locations: [{ sourceIndex: file.index, ranges: [range] }] } },
    }).locations['at']!;
  }
  if (files.size === 0) return undefined;
  const infos = [...files].map(([filename, { lines }]) => ({
    filename,
    data: Buffer.from(Array.from(lines, (line) => line ?? '').join('\n')),
    language: 'Dockerfile',
  }));
  return Object.assign(map, { locations, infos: create(SourceSchema, { infos }).infos });
}
