export { decodeDefinition } from './llb/decode.ts';
export { decodeSource } from './llb/decode-source.ts';
export { encodeProcess } from './llb/encode-process.ts';
export { encodeState } from './llb/encode.ts';
export { encodeSource, type EncodedSource } from './llb/encode-source.ts';
export { llbError } from './llb/errors.ts';
export { fromWirePolicy, policedSource, policedWire, toWirePolicy } from './llb/policy.ts';
export { fromWirePlatform, toWirePlatform } from './llb/wire-platform.ts';
export type { DecodedDefinition, DecodeOptions, EncodedDefinition, EncodeOptions } from './llb/types.ts';
export {
  acceptSession,
  INGEST_REF,
  KeptFiles,
  openSession,
  readHello,
  SESSION_CALL,
  sessionError,
  sinkName,
  sinkPlace,
  type ClientSession,
  type OpenSession,
  type SessionHello,
  type SessionOffer,
  type SessionStore,
  type SinkPlace,
  type TokenAuthority,
} from './session/index.ts';
