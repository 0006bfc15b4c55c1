import { Events } from '../gen/containerd/events_pb.ts';
import { timestampMs } from '../grpc/index.ts';
import type { Wait } from '../../base/index.ts';
import type { Containerd } from './client.ts';

export interface ContainerdEvent {
  /** As `/tasks/exit`. */
  readonly topic: string;
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly typeUrl: string;
  readonly value: Uint8Array;
}

/** What happens in the client's namespace from now on, until the signal fires or containerd goes away. `topics` as `/tasks/exit`; none is all. */
export async function* containerdEvents(
  containerd: Containerd,
  topics: readonly string[],
  w: Wait,
): AsyncIterable<ContainerdEvent> {
  const inside = `namespace==${containerd.namespace}`;
  const filters = topics.length === 0 ? [inside] : topics.map((topic) => `${inside},topic=="${topic}"`);
  const stream = containerd.stream(Events, "follow containerd's events", {
    ...w,
    use: (client, o) => client.subscribe({ filters }, o),
  });
  for await (const { topic, timestamp, event } of stream)
    yield {
      topic,
      at: timestamp ? timestampMs(timestamp) : 0,
      typeUrl: event?.typeUrl ?? '',
      value: event?.value ?? new Uint8Array(),
    };
}
