export { decodeDefinition } from './llb/decode.ts';
export { llbError } from './llb/errors.ts';
export type { DecodedDefinition, DecodeOptions } from './llb/types.ts';
export type { ClientSession, SessionHello } from './session/types.ts';
