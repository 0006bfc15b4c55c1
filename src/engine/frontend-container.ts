import type { Wait } from '../base/index.ts';
import type { Container, ContainerProcess } from '../frontend/index.ts';
import type { Entry } from '../tree/index.ts';
import type { OpenContainer } from '../worker/index.ts';
import { engineError } from './errors.ts';

const READ_LIMIT = 16 << 20;

/** A container of a build: it ends with `all`, of which it is one while it stands, and its processes when the signal fires. */
export function frontendContainer(
  open: OpenContainer,
  o: { readonly signal: AbortSignal; readonly all: Set<AsyncDisposable> },
): Container {
  const signalOf = (w: Wait): AbortSignal => (w.signal ? AbortSignal.any([o.signal, w.signal]) : o.signal);
  const list = async (path: string, w: Wait): Promise<readonly Entry[]> => {
    const looked = await open.look({ kind: 'list', path: absolute(path) }, { signal: signalOf(w) });
    if (!looked) throw notFound('list', path);
    return looked.entries;
  };
  const container: Container = {
    run: (process: ContainerProcess, w: Wait = {}) => open.run(process, { signal: signalOf(w) }),
    read: async (path, w = {}) => {
      const question = { kind: 'read', path: absolute(path), limit: READ_LIMIT } as const;
      const looked = await open.look(question, { signal: signalOf(w) });
      if (!looked?.content) throw notFound('read', path);
      return looked.content;
    },
    list: (path, w = {}) => list(path, w),
    stat: async (path, w = {}) =>
      (await open.look({ kind: 'stat', path: absolute(path) }, { signal: signalOf(w) }))?.entries[0],
    [Symbol.asyncDispose]: async () => {
      o.all.delete(container);
      await open[Symbol.asyncDispose]();
    },
  };
  o.all.add(container);
  return container;
}

function absolute(path: string): string {
  return path.startsWith('/') ? path : `/${path}`;
}

function notFound(action: string, path: string): Error {
  return engineError('PATH_NOT_FOUND', `${action} "${path}" in a container: not found`);
}
