import type { SourcePlace } from '../base/index.ts';
import { create } from '../wire/grpc/index.ts';
import { RangeSchema, SourceInfoSchema, type Range, type SourceInfo } from '../wire/gen/buildkit/ops_pb.ts';

/** The file that a place is in, as far as the place quotes it: clients print the lines around it by their numbers. */
export function sourceInfoOf(place: SourcePlace): SourceInfo {
  const before = '\n'.repeat(Math.max(0, place.line - 1));
  return create(SourceInfoSchema, {
    filename: place.file,
    data: Buffer.from(place.text === undefined ? '' : `${before}${place.text}`),
    language: /dockerfile$|containerfile$/i.test(place.file) ? 'Dockerfile' : '',
  });
}

export function rangesOf(place: SourcePlace): Range[] {
  const character = 0;
  return [
    create(RangeSchema, {
      start: { line: place.line, character },
      end: { line: place.endLine ?? place.line, character },
    }),
  ];
}
