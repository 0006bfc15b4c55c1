import type { Wait } from '../base/index.ts';
import type { SourcePolicy } from '../graph/index.ts';
import type { WarnRequest } from '../wire/gen/buildkit/gateway_pb.ts';
import type { Definition } from '../wire/gen/buildkit/ops_pb.ts';
import type { Steering } from './steering.ts';

/** A build that somebody steers by LLBBridge: what the bridge needs of it. */
export interface Steered {
  readonly steering: Steering;
  /** Text of the files that errors of this build point into. */
  readonly texts: Map<string, string>;
  /** What its sources may be. */
  readonly policies?: readonly SourcePolicy[] | undefined;
  /** Options of the last frontend that was called. */
  options: Readonly<Record<string, string>>;
  /** How many frontends that are images have called each other to get here. */
  readonly depth?: number | undefined;
  /** The trees that whoever steers was given, by name. */
  readonly inputs?: (() => Record<string, Definition>) | undefined;
  /** Takes an archive that the client uploads to an address in its session: the name that its files go by. */
  readonly upload?: ((url: URL, w: Wait) => Promise<string>) | undefined;
  warn(request: WarnRequest): void;
}
