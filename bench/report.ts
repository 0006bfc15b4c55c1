/** The figures as a table, and where they are kept. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus, release, type as system } from 'node:os';
import { join } from 'node:path';
import type { Latency } from './latency.ts';
import { latencyTable } from './latency-report.ts';
import type { Sample } from './measure.ts';
import { median } from './median.ts';
import { plot } from './plot.ts';

export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memory: number;
  readonly kernel: string;
  readonly node: string;
  readonly commit: string;
  /** Load average over one minute, before the first run. */
  readonly load: number;
}

/** One tool on one workload: every repetition, and the archive's size in bytes. `travelled`: bytes of the context that were sent in the last one, where the tool tells. */
export interface Result {
  readonly workload: string;
  readonly tool: string;
  readonly samples: readonly Sample[];
  readonly output: number;
  readonly travelled?: number | undefined;
}

/** A tool that could not do a workload, and the last line of what it said. */
export interface Failure {
  readonly workload: string;
  readonly tool: string;
  readonly said: string;
}

export interface Report {
  readonly date: string;
  readonly repetitions: number;
  readonly machine: Machine;
  readonly tools: readonly { readonly name: string; readonly version: string; readonly reach: number }[];
  readonly absent: readonly { readonly name: string; readonly absent: string }[];
  readonly failures: readonly Failure[];
  readonly workloads: readonly { readonly name: string; readonly title: string; readonly goal?: number | undefined }[];
  readonly results: readonly Result[];
  /** What strake costs apart from a build's work; empty where it was not asked for. */
  readonly latency: readonly Latency[];
}

const RESULTS = join(import.meta.dirname, 'results');
const PAGE = join(import.meta.dirname, '../docs/performance.md');
const BEGIN = '<!-- bench: from here the text is replaced by `npm run bench` -->';
const END = '<!-- bench: to here -->';

export function machine(o: { commit: string; load: number; memory: number }): Machine {
  const [cpu] = cpus();
  return {
    cpu: cpu?.model ?? 'unknown',
    cores: cpus().length,
    kernel: `${system()} ${release()}`,
    node: process.version,
    ...o,
  };
}

/** Keeps a whole run: results/latest.json, results/latest.md and the marked part of docs/performance.md. */
export function keep(report: Report): void {
  mkdirSync(RESULTS, { recursive: true });
  writeFileSync(join(RESULTS, 'latest.json'), `${JSON.stringify(report, undefined, 2)}\n`);
  writeFileSync(join(RESULTS, 'latest.svg'), plot(report));
  writeFileSync(join(RESULTS, 'latest.md'), `# The last whole run of the bench\n\n${markdown(report)}`);
  const page = existsSync(PAGE) ? readFileSync(PAGE, 'utf8') : '';
  const [from, to] = [page.indexOf(BEGIN), page.indexOf(END)];
  if (from < 0 || to < from) throw new Error(`${PAGE} has no part marked for the bench's table`);
  writeFileSync(PAGE, `${page.slice(0, from + BEGIN.length)}\n\n${markdown(report)}\n${page.slice(to)}`);
}

export function markdown(report: Report): string {
  const page = ([head, ...rows]: readonly (readonly string[])[], left: number): string => {
    const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
    const rule = head!.map((_, index) => (index < left ? '---' : '---:'));
    return [line(head!), line(rule), ...rows.map(line)].join('\n');
  };
  const goals = goalLines(report);
  const travels = travelLines(report);
  return [
    about(report).join('  \n'),
    ...(report.results.length > 0 ? [page(table(report), 2)] : []),
    ...(travels.length > 0
      ? [
          `Bytes of the context that travelled, as buildx says, and the ratio to docker's time:\n\n${travels.join('\n')}`,
        ]
      : []),
    ...(goals.length > 0 ? [`Goals, as ratios to docker in the same run:\n\n${goals.join('\n')}`] : []),
    ...(report.latency.length > 0 ? [page(latencyTable(report.latency), 1)] : []),
  ]
    .join('\n\n')
    .concat('\n');
}

export function terminal(report: Report): string {
  const screen = (rows: readonly (readonly string[])[], left: number): string => {
    const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
    const cells = (row: readonly string[]): string[] =>
      row.map((cell, column) => (column < left ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!)));
    return rows.map((row) => cells(row).join('  ')).join('\n');
  };
  return [
    ...(report.results.length > 0
      ? [screen(table(report), 2), travelLines(report).join('\n'), goalLines(report).join('\n')]
      : []),
    ...(report.latency.length > 0 ? [screen(latencyTable(report.latency), 1)] : []),
    about(report).join('\n'),
  ]
    .join('\n\n')
    .concat('\n');
}

/** The tool's times beside those of the best peer: below 1 it is ahead. */
export function ratio(report: Report, workload: string, tool: string): number | undefined {
  const own = report.results.find((result) => result.workload === workload && result.tool === tool);
  const others = report.results.filter((result) => result.workload === workload && result.tool !== tool);
  return own === undefined || others.length === 0 ? undefined : timeOf(own) / Math.min(...others.map(timeOf));
}

/** For each workload with a goal that docker took part in: the ratio, and whether it is met. */
function goalLines(report: Report): string[] {
  return report.workloads.flatMap(({ name, title, goal }) => {
    const [own, docker] = ['strake', 'docker'].map((tool) =>
      report.results.find((result) => result.workload === name && result.tool === tool),
    );
    if (goal === undefined || !own || !docker) return [];
    const is = timeOf(own) / timeOf(docker);
    const size = own.output / docker.output;
    const larger = size > 1.1 ? `, output ${((size - 1) * 100).toFixed(0)} % larger (at most 10 % is the goal)` : '';
    return [`- ${title}: ${is.toFixed(2)}, goal ${goal}: ${is <= goal ? 'met' : 'missed'}${larger}`];
  });
}

/** For each workload in which a context travels: how much of it, and how the daemon stands to docker's with the same client. */
function travelLines(report: Report): string[] {
  return report.workloads.flatMap(({ name, title }) => {
    const told = report.results.filter((result) => result.workload === name && result.travelled !== undefined);
    if (told.length < 2) return [];
    const each = told.map(
      ({ tool, travelled = 0 }) => `${tool} ${(travelled / 1e6).toFixed(travelled < 1e7 ? 2 : 0)} MB`,
    );
    const [docker, own] = ['docker', 'buildx-on-strake'].map((tool) => told.find((result) => result.tool === tool));
    const is = docker && own ? `; ${(timeOf(own) / timeOf(docker)).toFixed(2)} of docker's time` : '';
    return [`- ${title}: ${each.join(', ')}${is}`];
  });
}

function timeOf({ samples }: Result): number {
  return median(samples.map((sample) => sample.wall));
}

function table(report: Report): string[][] {
  const rows = [
    ['workload', 'tool', 'seconds', 'fastest', 'slowest', 'to the best other', 'cpu s', 'peak MiB', 'output MB'],
  ];
  for (const { name, title } of report.workloads) {
    let first = title;
    for (const { tool, samples, output } of report.results.filter((result) => result.workload === name)) {
      const walls = samples.map((sample) => sample.wall);
      rows.push([
        first,
        tool,
        seconds(median(walls)),
        seconds(Math.min(...walls)),
        seconds(Math.max(...walls)),
        ratio(report, name, tool)?.toFixed(2) ?? '',
        seconds(median(samples.map((sample) => sample.cpu))),
        (median(samples.map((sample) => sample.rss)) / 2 ** 20).toFixed(0),
        (output / 1e6).toFixed(output < 1e7 ? 2 : 0),
      ]);
      first = '';
    }
  }
  return rows;
}

function about({ date, repetitions, machine: m, tools, absent, failures }: Report): string[] {
  const lines = [
    `${date}, commit ${m.commit}, medians of ${repetitions}.`,
    `${m.cores} cores of ${m.cpu}, ${(m.memory / 2 ** 30).toFixed(0)} GiB, ${m.kernel}, Node ${m.node}; load average before: ${m.load.toFixed(2)}.`,
    `${tools.map(({ name, version }) => `${name} ${version}`).join('; ')}.`,
  ];
  const reached = tools.filter((tool) => tool.reach > 0);
  if (reached.length > 0)
    lines.push(
      `Taken off each time, for the command a tool is reached through: ${reached.map(({ name, reach }) => `${name} ${(reach * 1000).toFixed(0)} ms`).join(', ')}.`,
    );
  if (absent.length > 0) lines.push(`Left out: ${absent.map((tool) => `${tool.name} (${tool.absent})`).join('; ')}.`);
  for (const { workload, tool, said } of failures) lines.push(`${tool} could not do ${workload}: ${said}`);
  if (m.load > m.cores / 4) lines.push('The machine was not idle: the times are upper bounds.');
  return lines;
}

function seconds(value: number): string {
  return value.toFixed(value < 10 ? 3 : 1);
}
