import type { ServiceImpl } from '../../wire/grpc/index.ts';
import { create } from '../../wire/grpc/index.ts';
import {
  type Control,
  InfoResponseSchema,
  ListWorkersResponseSchema,
  SolveResponseSchema,
  UpdateBuildHistoryResponseSchema,
} from '../../wire/gen/buildkit/control_pb.ts';
import { serveError } from '../errors.ts';
import type { Served } from '../served.ts';
import { diskUsage, prune } from './disk-usage.ts';
import { listenHistory } from './listen-history.ts';
import { solve } from './solve.ts';
import { versionOf, workerRecord } from './worker-record.ts';

/** `moby.buildkit.v1.Control` over an engine; its sessions are served as bytes (`serveSession`). */
export function controlService(served: Served): Partial<ServiceImpl<typeof Control>> {
  return {
    info: () => create(InfoResponseSchema, { buildkitVersion: versionOf(served.info) }),
    listWorkers: ({ filter }) =>
      create(ListWorkersResponseSchema, {
        record:
          filter.length === 0 || filter.some((text) => workerFits(text, served)) ? [workerRecord(served.info)] : [],
      }),
    async solve(request, context) {
      const response = await solve(request, served, context);
      return create(SolveResponseSchema, { ExporterResponse: response });
    },
    async *status({ Ref }, context) {
      context.answerHeaders.append('buildkit-current-timestamp', new Date(served.clock.now()).toISOString());
      const known = served.records.story(Ref);
      if (known && !served.builds.running().some(({ ref }) => ref === Ref)) {
        yield* known;
        return;
      }
      const build = await served.builds.look(Ref, { signal: context.signal });
      yield* build.story.follow({ signal: context.signal });
    },
    async diskUsage({ filter }, context) {
      return { record: await diskUsage(served, filter, { signal: context.signal }) };
    },
    async *prune(request, context) {
      yield* prune(served, request, { signal: context.signal });
    },
    async *listenBuildHistory(request, context) {
      context.answerHeaders.append('buildkit-current-timestamp', new Date(served.clock.now()).toISOString());
      yield* listenHistory(served, request, { signal: context.signal });
    },
    updateBuildHistory({ Ref, Pinned, Delete }) {
      const { records } = served;
      if (Delete) records.remove(Ref);
      else if (!records.pin(Ref, Pinned)) throw serveError('HISTORY_UNKNOWN', `failed to retrieve bucket: ${Ref}`);
      return create(UpdateBuildHistoryResponseSchema);
    },
  };
}

/** `id==…` or `label.NAME==…`; one that is not understood fits nothing. */
function workerFits(filter: string, { info }: Served): boolean {
  return filter.split(',').every((part) => {
    const [name = '', value = ''] = part.split('==');
    if (name === 'id') return value === info.id;
    if (name.startsWith('label.')) return info.labels[name.slice(6).replace(/^"|"$/g, '')] === value;
    return false;
  });
}
