import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { messageOf } from '../../../base/index.ts';
import type { CliContext } from '../command.ts';

/** Looks after the containers of a store until the end of the scope: those that are lost are started again where their policy says so. Loads nothing before there is one. */
export function lookAfterContainers(c: CliContext): Disposable {
  let looking = false;
  const look = async (): Promise<void> => {
    if (looking || !existsSync(join(c.settings.root, 'containers'))) return;
    looking = true;
    try {
      const { liveContainers } = await import('./revive.ts');
      await liveContainers(c);
    } catch (error) {
      if (!c.signal.aborted) c.io.stderr.write(`look after containers: ${messageOf(error)}\n`);
    } finally {
      looking = false;
    }
  };
  const timer = setInterval(() => void look(), LOOK_MS).unref();
  return { [Symbol.dispose]: () => clearInterval(timer) };
}

const LOOK_MS = 2000;
