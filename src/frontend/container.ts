import type { Wait } from '../base/index.ts';
import type { Platform } from '../blob/index.ts';
import type { OpMount } from '../graph/index.ts';
import type { Entry } from '../tree/index.ts';
import type { Ref } from './ref.ts';

/** Mounts for processes beside the graph: nothing of them enters a key, and nothing that is written there is kept but in cache mounts. */
export interface ContainerRequest {
  /** As those of a process step; `input` counts `refs`, outputs mean nothing. The one at "/" is the root; absent: an empty one that can be written to. */
  readonly mounts: readonly OpMount[];
  readonly refs: readonly Ref[];
  readonly platform: Platform;
  readonly network: 'default' | 'none' | 'host';
  readonly hostname?: string | undefined;
  readonly extraHosts?: readonly { readonly host: string; readonly ip: string }[] | undefined;
}

/** A process of a container. Without a user it is 0:0. */
export interface ContainerProcess {
  readonly args: readonly string[];
  /** `NAME=value`, in order; a later one wins. */
  readonly env?: readonly string[] | undefined;
  /** Variables whose values are secrets of the asking side. */
  readonly secretEnv?:
    | readonly { readonly id: string; readonly name: string; readonly required: boolean }[]
    | undefined;
  readonly cwd?: string | undefined;
  /** `user[:group]`, names or numbers, looked up in the root. */
  readonly user?: string | undefined;
  readonly security?: 'sandbox' | 'insecure' | undefined;
  readonly terminal?: { readonly columns: number; readonly rows: number } | undefined;
  readonly stdin?: AsyncIterable<Uint8Array> | undefined;
  /** With a terminal, all that it shows. */
  stdout(chunk: Uint8Array): void | Promise<void>;
  stderr(chunk: Uint8Array): void | Promise<void>;
  /** Called once it runs. */
  onStart?(control: ProcessControl): void;
}

export interface ProcessControl {
  resize(size: { readonly columns: number; readonly rows: number }): void;
  /** By name: `SIGTERM`. */
  signal(name: string): void;
}

/** A container that stands. The end of its scope kills what runs there and gives back what it mounts; the end of the build does so at the latest. */
export interface Container extends AsyncDisposable {
  /** To the end of the process: its exit code (128 + n for signal n). Several may run at once. Throws what executors do, `CANCELLED` when the signal fires. */
  run(process: ContainerProcess, w?: Wait): Promise<number>;
  /** As processes would see the path now, its mounts included. Throws `not_found`. At most 16 MiB. */
  read(path: string, w?: Wait): Promise<Uint8Array>;
  list(path: string, w?: Wait): Promise<readonly Entry[]>;
  stat(path: string, w?: Wait): Promise<Entry | undefined>;
}
