import { CodedError } from '../../base/index.ts';
import { commentFor } from './comment-for.ts';
import type { Program } from './instruction.ts';
import { type LintFindings, lintJson, lintText, locationOf } from './lint-result.ts';
import type { Collected } from './outline.ts';
import { REQUESTS } from './subrequest.ts';
import type { SourceText } from './text.ts';

type Answer = ReadonlyMap<string, Uint8Array>;

const VERSION = '1.0.0';

function answer(json: unknown, text: string, status?: number): Answer {
  const entries: [string, string][] = [
    ['result.json', JSON.stringify(json, undefined, 2)],
    ['result.txt', text],
    ['version', VERSION],
  ];
  if (status !== undefined) entries.push(['result.statuscode', String(status)]);
  return new Map(entries.map(([key, value]) => [key, Buffer.from(value)]));
}

export function describeAnswer(): Answer {
  const list = Object.entries(REQUESTS).map(([name, description]) => ({
    Name: name,
    Version: VERSION,
    Type: 'rpc',
    Description: description,
    Opts: name === 'frontend.outline' ? [{ Name: 'target', Description: 'Target build stage' }] : [],
    Metadata: [
      { Name: 'result.json' },
      { Name: 'result.txt' },
      ...(name === 'frontend.lint' ? [{ Name: 'result.statuscode' }] : []),
    ],
  }));
  const rows = list.map(({ Name, Version, Description }) => [Name.replace(/^frontend\./, ''), Version, Description]);
  return answer(list, table([['NAME', 'VERSION', 'DESCRIPTION'], ...rows], 1));
}

export function lintAnswer(findings: LintFindings): Answer {
  const status = findings.warnings.length > 0 || findings.error !== undefined ? 1 : 0;
  return answer(lintJson(findings), lintText(findings), status);
}

/** A fault of the Dockerfile or of what it names, which is a finding; anything else is thrown on. */
export function asFinding(error: unknown): CodedError {
  if (error instanceof CodedError && error.kind !== 'cancelled' && error.kind !== 'internal') return error;
  throw error;
}

export function targetsAnswer({ stages }: Program, source: SourceText): Answer {
  const targets = stages.map(({ from }, index) => ({
    name: from.alias,
    default: index === stages.length - 1 || undefined,
    description: commentFor(from.alias, from.comments) || undefined,
    base: from.base,
    platform: from.platform,
    location: locationOf(from.range),
  }));
  const rows = targets.map(({ name = '', default: last = false, description = '' }) => [
    last ? `${name} (default)`.trimStart() : name,
    description,
  ]);
  return answer({ targets, sources: [dataOf(source)] }, table([['TARGET', 'DESCRIPTION'], ...rows], 1));
}

export function outlineAnswer(
  { args, secrets, agents }: Collected,
  o: { readonly name: string; readonly description: string; readonly source: SourceText },
): Answer {
  const demands = (list: Collected['secrets']): object[] | undefined =>
    list.length === 0
      ? undefined
      : list.map(({ name, required, range }) => ({
          name,
          required: required || undefined,
          location: locationOf(range),
        }));
  const json = {
    name: o.name || undefined,
    description: o.description || undefined,
    args:
      args.length === 0
        ? undefined
        : args.map(({ name, value, description, range }) => ({
            name,
            description: description || undefined,
            value: value || undefined,
            location: locationOf(range),
          })),
    secrets: demands(secrets),
    ssh: demands(agents),
    sources: [dataOf(o.source)],
  };
  const about = o.description === '' ? [] : [['DESCRIPTION:', o.description]];
  const parts = [
    o.name === '' && o.description === '' ? '' : table([['TARGET:', o.name || '(default)'], ...about], 1),
    list(
      ['BUILD ARG', 'VALUE', 'DESCRIPTION'],
      args.map(({ name, value, description }) => [name, value, description]),
    ),
    list(
      ['SECRET', 'REQUIRED'],
      secrets.map(({ name, required }) => [name, required ? 'true' : '']),
    ),
    list(
      ['SSH', 'REQUIRED'],
      agents.map(({ name, required }) => [name, required ? 'true' : '']),
    ),
  ];
  return answer(json, parts.map((part) => (part === '' ? '' : `${part}\n`)).join(''));
}

function dataOf(source: SourceText): string {
  return Buffer.from(source.text).toString('base64');
}

function list(head: readonly string[], rows: readonly (readonly string[])[]): string {
  return rows.length === 0 ? '' : table([head, ...rows], 3);
}

/** Columns as wide as their widest cell and `gap` blanks; the last is as it is. */
function table(rows: readonly (readonly string[])[], gap: number): string {
  const width = (column: number): number => Math.max(...rows.map((row) => (row[column] ?? '').length)) + gap;
  const columns = Math.max(...rows.map((row) => row.length));
  const widths = Array.from({ length: columns - 1 }, (_, column) => width(column));
  return rows
    .map((row) => `${row.map((cell, at) => (at === columns - 1 ? cell : cell.padEnd(widths[at] ?? 0))).join('')}\n`)
    .join('');
}
