import { sleep, type Wait } from '../base/index.ts';
import type { Executor } from '../exec/index.ts';
import type { WatchedPort } from './plan-ports.ts';
import { hostPort } from './ports.ts';

/** Looks often at first: most servers listen within a second. */
const QUICK_MS = 50;
const QUICK_LOOKS = 100;
const SLOW_MS = 1000;

/** Tells of each port once, when something in the container listens on it, until the signal fires or all are told of. */
export async function watchPorts(
  ports: readonly WatchedPort[],
  o: {
    readonly id: string;
    readonly executor: Executor;
    /** `reached`: it can be reached there; false when it listens on the container's loopback alone. */
    readonly onListening: (port: WatchedPort, o: { readonly reached: boolean }) => void;
  } & Wait,
): Promise<void> {
  const waiting = new Set(ports);
  const deaf = new Set<WatchedPort>();
  for (let looks = 0; waiting.size > 0 && !isOver(o); looks++) {
    let found;
    try {
      found = await o.executor.running.listening(o.id, o);
      await sleep(looks < QUICK_LOOKS ? QUICK_MS : SLOW_MS, o);
    } catch (error) {
      if (isOver(o)) return;
      throw error;
    }
    for (const port of waiting) {
      const listeners = found.filter((one) => one.port === port.port);
      if (listeners.length === 0) continue;
      if (port.loopback || listeners.some((one) => one.everywhere)) {
        waiting.delete(port);
        o.onListening(port, { reached: true });
      } else if (!deaf.has(port)) {
        deaf.add(port);
        o.onListening(port, { reached: false });
      }
    }
  }
}

function isOver(w: Wait): boolean {
  return w.signal?.aborted === true;
}

/** Servers on these ports do not speak HTTP: their address is told without a scheme. */
const OTHERS = new Set([
  21, 22, 23, 25, 53, 110, 143, 389, 465, 587, 636, 993, 995, 1433, 1521, 1883, 2181, 3306, 4222, 5432, 5672, 6379,
  9042, 9092, 11211, 27017,
]);
const TLS = new Set([443, 8443]);

/** `http://127.0.0.1:8080`: where a port is reached, as one can open it. */
export function listeningAt(port: WatchedPort): string {
  const at = hostPort(port.hostAddress, port.hostPort);
  if (OTHERS.has(port.port)) return at;
  return `${TLS.has(port.port) ? 'https' : 'http'}://${at}`;
}
