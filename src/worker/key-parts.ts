import { canonicalJson, looksSecret, withoutSecrets, type Json } from '../base/index.ts';
import { digestOf } from '../blob/index.ts';
import type { ExecOp, FileOp, Vertex } from '../graph/index.ts';
import type { KeyPart } from '../solve/index.ts';

const LONGEST = 120;

/** What the key of a process is made of: its variables, its command, and whatever else was asked for. */
export function execParts(identity: Partial<ExecOp>, { label }: Vertex): readonly KeyPart[] {
  const { args, files, env = [], kind: _kind, ...settings } = identity;
  const variables = label.variables ?? env.map(variableOf);
  return [
    ...variables.map(variablePart),
    part('command', { args, files }, { derived: true }),
    ...Object.entries(settings).flatMap(([name, value]) =>
      value === undefined ? [] : [part(NAMES[name] ?? name, value as unknown as Json)],
    ),
  ];
}

/** What the key of changes to files is made of. */
export function fileParts(op: FileOp, vertex: Vertex): readonly KeyPart[] {
  return [...variableParts(vertex), part('actions', op as unknown as Json, { derived: true })];
}

/** The variables that a step names. */
export function variableParts({ label }: Vertex): readonly KeyPart[] {
  return (label.variables ?? []).map(variablePart);
}

const NAMES: Readonly<Record<string, string>> = { cwd: 'folder', extraHosts: 'hosts', shmSize: 'size of /dev/shm' };

function part(name: string, value: Json, o: { readonly derived?: true } = {}): KeyPart {
  const text = typeof value === 'string' ? value : canonicalJson(value);
  const digest = digestOf(text);
  return o.derived || text.length > LONGEST ? { name, digest, ...o } : { name, digest, value: withoutSecrets(text) };
}

function variablePart({
  name,
  value,
  from,
}: {
  readonly name: string;
  readonly value: string;
  readonly from: 'ARG' | 'ENV';
}): KeyPart {
  const digest = digestOf(value);
  const shown = value.length > LONGEST ? `${value.slice(0, LONGEST - 1)}…` : value;
  return { name, digest, variable: from, ...(looksSecret(name, value) ? {} : { value: shown }) };
}

function variableOf(text: string): { readonly name: string; readonly value: string; readonly from: 'ENV' } {
  const equals = text.indexOf('=');
  if (equals < 0) return { name: text, value: '', from: 'ENV' };
  return { name: text.slice(0, equals), value: text.slice(equals + 1), from: 'ENV' };
}
