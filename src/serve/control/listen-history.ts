import { Channel, type Wait } from '../../base/index.ts';
import { create, timestampMs } from '../../wire/grpc/index.ts';
import {
  BuildHistoryEventSchema,
  type BuildHistoryEvent,
  type BuildHistoryRecord,
  type BuildHistoryRequest,
} from '../../wire/gen/buildkit/control_pb.ts';
import { serveError } from '../errors.ts';
import type { Served } from '../served.ts';
import { durationOf, type HistoryEvent } from './history.ts';

/** Builds on record as they were and, unless the asker leaves early, as they come. */
export async function* listenHistory(
  { records, clock }: Pick<Served, 'records' | 'clock'>,
  request: BuildHistoryRequest,
  w: Wait,
): AsyncIterable<BuildHistoryEvent> {
  const filters = request.Filter.map((text) => filterOf(text, clock.now()));
  const fits = ({ record }: HistoryEvent): boolean =>
    (request.Ref === '' || record.Ref === request.Ref) &&
    (filters.length === 0 || filters.some((filter) => filter(record, records.isActive(record.Ref))));
  const coming = new Channel<HistoryEvent>();
  using listening = records.listen((event) => coming.push(event));
  void listening;
  let known = records.list({ activeOnly: request.ActiveOnly, ref: request.Ref }).filter(fits);
  if (request.Limit > 0) known = known.slice(-request.Limit);
  for (const event of known) yield create(BuildHistoryEventSchema, event);
  if (request.EarlyExit) return;
  const stop = (): void => coming.end();
  if (w.signal?.aborted) return;
  w.signal?.addEventListener('abort', stop, { once: true });
  try {
    for await (const event of coming) if (fits(event)) yield create(BuildHistoryEventSchema, event);
  } finally {
    w.signal?.removeEventListener('abort', stop);
  }
}

type Filter = (record: BuildHistoryRecord, active: boolean) => boolean;

/** `name OP value`, joined by commas: all must hold (control's history filters). Throws `SOLVE_INVALID`. */
function filterOf(text: string, now: number): Filter {
  const parts = text.split(',').map((part): Filter => {
    const match = /^\s*([A-Za-z.]+)\s*(==|=|!=|~=|>=|<=|>|<)\s*(.*)$/.exec(part);
    if (!match) throw serveError('SOLVE_INVALID', `read filter "${part}": not of the form name==value`);
    const [, name = '', operation = '', value = ''] = match;
    const compare = (a: number | undefined, b: number): boolean => {
      if (a === undefined) return false;
      switch (operation) {
        case '>':
          return a > b;
        case '>=':
          return a >= b;
        case '<':
          return a < b;
        case '<=':
          return a <= b;
        default:
          return a === b;
      }
    };
    const text = (of: string): boolean => {
      if (operation === '!=') return of !== value;
      return operation === '~=' ? new RegExp(value).test(of) : of === value;
    };
    switch (name) {
      case 'ref':
        return ({ Ref }) => text(Ref);
      case 'status':
        return (record, active) => text(statusOf(record, active));
      case 'repository':
        return ({ FrontendAttrs }) => text(FrontendAttrs['vcs:source'] ?? FrontendAttrs['context'] ?? '');
      case 'startedAt':
        return ({ CreatedAt }) => compare(CreatedAt && timestampMs(CreatedAt), timeOf(value, now));
      case 'completedAt':
        return ({ CompletedAt }) => compare(CompletedAt && timestampMs(CompletedAt), timeOf(value, now));
      case 'duration':
        return (record) => compare(durationOf(record), millisecondsOf(value));
      default:
        throw serveError('SOLVE_INVALID', `read filter "${part}": there is no field "${name}"`);
    }
  });
  return (record, active) => parts.every((part) => part(record, active));
}

function statusOf({ error }: BuildHistoryRecord, active: boolean): string {
  if (active) return 'running';
  if (!error) return 'completed';
  return error.code === 1 ? 'canceled' : 'error';
}

function timeOf(value: string, now: number): number {
  return /^\d{4}-/.test(value) ? Date.parse(value) : now - millisecondsOf(value);
}

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/** Go's `1h30m`. */
function millisecondsOf(value: string): number {
  let total = 0;
  for (const [, count = '', unit = ''] of value.matchAll(/([\d.]+)(ms|s|m|h)/g))
    total += Number(count) * (UNITS[unit] ?? 0);
  return total;
}
