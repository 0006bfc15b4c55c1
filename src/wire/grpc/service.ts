import type { DescMethod, DescService, MessageInitShape, MessageShape } from '@bufbuild/protobuf';
import type { Metadata, MetadataInit } from './metadata.ts';
import type { Peer } from './peer.ts';

/** How one call is made. */
export interface CallOptions {
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds; told to the server, and kept here. */
  readonly timeoutMs?: number | undefined;
  readonly headers?: MetadataInit | undefined;
  /** What the server says before its first answer. */
  readonly onHeader?: ((headers: Metadata) => void) | undefined;
}

/** What a handler knows of its call. */
export interface HandlerContext {
  readonly headers: Metadata;
  /** Sent before the first answer; what is added later is not. */
  readonly answerHeaders: Metadata;
  /** Fires when the caller has given up, its time is over, or its connection has ended. */
  readonly signal: AbortSignal;
  /** The connection that the call came on. */
  readonly peer: Peer;
}

type Methods<S extends DescService> = S['method'];
type Input<M extends DescMethod> = MessageInitShape<M['input']>;
type Output<M extends DescMethod> = MessageShape<M['output']>;

type ClientCall<M extends DescMethod> = M['methodKind'] extends 'unary'
  ? (request: Input<M>, o?: CallOptions) => Promise<Output<M>>
  : M['methodKind'] extends 'server_streaming'
    ? (request: Input<M>, o?: CallOptions) => AsyncIterable<Output<M>>
    : M['methodKind'] extends 'client_streaming'
      ? (requests: AsyncIterable<Input<M>>, o?: CallOptions) => Promise<Output<M>>
      : (requests: AsyncIterable<Input<M>>, o?: CallOptions) => AsyncIterable<Output<M>>;

/** A service as it is called. Calls throw `StatusError`. */
export type Client<S extends DescService> = { readonly [K in keyof Methods<S>]: ClientCall<Methods<S>[K]> };

type Answer<M extends DescMethod> = MessageInitShape<M['output']>;

type Handler<M extends DescMethod> = M['methodKind'] extends 'unary'
  ? (request: MessageShape<M['input']>, context: HandlerContext) => Promise<Answer<M>> | Answer<M>
  : M['methodKind'] extends 'server_streaming'
    ? (request: MessageShape<M['input']>, context: HandlerContext) => AsyncIterable<Answer<M>>
    : M['methodKind'] extends 'client_streaming'
      ? (requests: AsyncIterable<MessageShape<M['input']>>, context: HandlerContext) => Promise<Answer<M>>
      : (requests: AsyncIterable<MessageShape<M['input']>>, context: HandlerContext) => AsyncIterable<Answer<M>>;

/** What a service does. Methods that are left out answer `Unimplemented`. */
export type ServiceImpl<S extends DescService> = { readonly [K in keyof Methods<S>]: Handler<Methods<S>[K]> };

/** Where services are named to a server. */
export interface Router {
  service<S extends DescService>(service: S, methods: Partial<ServiceImpl<S>>): void;
}
