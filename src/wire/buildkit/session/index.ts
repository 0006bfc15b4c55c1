export { acceptSession, readHello, SESSION_CALL } from './accept-session.ts';
export { sessionError } from './errors.ts';
export { KeptFiles } from './kept-files.ts';
export { openSession, type OpenSession } from './open-session.ts';
export type { SessionOffer, SessionStore, TokenAuthority } from './session-offer.ts';
export { sinkName, sinkPlace, type ClientSession, type SessionHello, type SinkPlace } from './types.ts';
export { INGEST_REF } from './write-content.ts';
