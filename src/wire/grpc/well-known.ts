/** Messages that protobuf itself brings: their descriptions without what is for other languages, and times. */
import { create } from '@bufbuild/protobuf';
import type { GenFile, GenMessage } from '@bufbuild/protobuf/codegenv2';
import type { Timestamp } from '@bufbuild/protobuf/wkt';
import { fileDesc, messageDesc } from './descriptors.ts';

export const file_google_protobuf_any: GenFile = fileDesc(
  'Chlnb29nbGUvcHJvdG9idWYvYW55LnByb3RvEg9nb29nbGUucHJvdG9idWYiJgoDQW55EhAKCHR5cGVfdXJsGAEgASgJEg0KBXZhbHVlGAIgASgMYgZwcm90bzM',
);
export const file_google_protobuf_timestamp: GenFile = fileDesc(
  'Ch9nb29nbGUvcHJvdG9idWYvdGltZXN0YW1wLnByb3RvEg9nb29nbGUucHJvdG9idWYiKwoJVGltZXN0YW1wEg8KB3NlY29uZHMYASABKAMSDQoFbmFub3MYAiABKAViBnByb3RvMw',
);
export const file_google_protobuf_empty: GenFile = fileDesc(
  'Chtnb29nbGUvcHJvdG9idWYvZW1wdHkucHJvdG8SD2dvb2dsZS5wcm90b2J1ZiIHCgVFbXB0eWIGcHJvdG8z',
);
export const file_google_protobuf_field_mask: GenFile = fileDesc(
  'CiBnb29nbGUvcHJvdG9idWYvZmllbGRfbWFzay5wcm90bxIPZ29vZ2xlLnByb3RvYnVmIhoKCUZpZWxkTWFzaxINCgVwYXRocxgBIAMoCWIGcHJvdG8z',
);
const TimestampSchema: GenMessage<Timestamp> = messageDesc(file_google_protobuf_timestamp, 0);

/** Milliseconds since the epoch as a timestamp. */
export function timestampFromMs(ms: number): Timestamp {
  const seconds = Math.floor(ms / 1000);
  return create(TimestampSchema, { seconds: BigInt(seconds), nanos: Math.round((ms - seconds * 1000) * 1e6) });
}

/** Milliseconds since the epoch. */
export function timestampMs({ seconds, nanos }: Timestamp): number {
  return Number(seconds) * 1000 + Math.round(nanos / 1e6);
}

export function timestampDate(timestamp: Timestamp): Date {
  return new Date(timestampMs(timestamp));
}
