export type { BlobInfo, BlobReader, BlobStore, BlobWriter } from './blob-store.ts';
export type { Descriptor, Platform } from './descriptor.ts';
export { algorithmOf, blobError, digestOf, Digester, hexOf, isDigest, parseDigest, type Digest } from './digest.ts';
export { DiskBlobStore, type Ingest } from './disk-store.ts';
export { Leases, type Lease } from './leases.ts';
export { MemoryBlobStore } from './memory-store.ts';
export { verified } from './verified.ts';
export { ownProcess, stateOfProcess, type ProcessId } from './process-id.ts';
export { sweep, type Swept } from './sweep.ts';
