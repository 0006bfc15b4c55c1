import type { Group, Order, SystemBuildpacks } from '../model/types.ts';
import type { DetectLog } from './log.ts';

/** Every group with the system's buildpacks around it; those whose id the group has already (any version) are left out. `optional` counts. */
export function withSystem(order: Order, o: { system: SystemBuildpacks; log: DetectLog }): Order {
  return order.map((group) => {
    const missing = (list: Group): Group => list.filter(({ id }) => !group.some((entry) => entry.id === id));
    const pre = missing(o.system.pre);
    const post = missing(o.system.post);
    if (pre.length > 0) o.log.debug(`Prepending ${pre.length} system buildpack(s) to group`);
    if (post.length > 0) o.log.debug(`Appending ${post.length} system buildpack(s) to group`);
    return [...pre, ...group, ...post];
  });
}
