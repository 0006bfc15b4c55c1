import type { State } from '../../../graph/index.ts';
import type { Files, ModuleDescriptor, Order, RunImage, SystemBuildpacks } from '../model/types.ts';

/** A builder, opened: what buildpacks run in, and which there are. */
export interface Builder {
  readonly state: State;
  readonly files: Files;
  /** The environment of its image. */
  readonly env: readonly string[];
  readonly uid: number;
  readonly gid: number;
  readonly order: Order;
  readonly orderExtensions: Order;
  readonly system: SystemBuildpacks;
  /** The first is the one to use where none is named. */
  readonly runImages: readonly RunImage[];
  readonly modules: ReadonlyMap<string, ModuleDescriptor>;
  /** Its own launcher's tree. */
  readonly launcher: State;
}

export const LAUNCHER = '/cnb/lifecycle/launcher';
