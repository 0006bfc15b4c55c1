import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { test } from 'node:test';

/** Each room and the rooms it may import (docs/rooms.md). `*` is any. A room is entered by its index.ts only. */
const ROOMS: Readonly<Record<string, readonly string[]>> = {
  base: [],
  blob: ['base'],
  cloud: ['base', 'blob'],
  hcl: ['base'],
  bake: ['base', 'hcl'],
  tree: ['base', 'blob'],
  image: ['base', 'blob', 'tree'],
  registry: ['base', 'blob', 'image'],
  packages: ['base', 'blob', 'tree'],
  graph: ['base', 'blob'],
  'wire/gen': [],
  'wire/grpc': ['base', 'wire/gen'],
  'wire/containerd': ['base', 'blob', 'wire/gen', 'wire/grpc'],
  'wire/buildkit': [
    'base',
    'blob',
    'tree',
    'image',
    'graph',
    'wire/gen',
    'wire/grpc',
    'wire/containerd',
    'worker',
    'frontend',
  ],
  snapshot: ['base', 'tree', 'wire/containerd'],
  exec: ['base', 'tree', 'wire/containerd'],
  solve: ['base', 'blob', 'graph'],
  worker: ['base', 'blob', 'cloud', 'tree', 'image', 'registry', 'packages', 'graph', 'snapshot', 'exec', 'solve'],
  frontend: ['base', 'blob', 'tree', 'image', 'graph'],
  'frontend/dockerfile': ['base', 'blob', 'tree', 'image', 'graph', 'frontend'],
  'frontend/buildpack': ['base', 'blob', 'tree', 'image', 'graph', 'frontend'],
  gateway: ['base', 'blob', 'tree', 'image', 'graph', 'wire/gen', 'wire/grpc', 'wire/buildkit', 'frontend'],
  supply: ['base', 'blob', 'tree', 'image', 'registry', 'graph'],
  engine: [
    'base',
    'blob',
    'cloud',
    'tree',
    'image',
    'registry',
    'packages',
    'graph',
    'wire/containerd',
    'snapshot',
    'exec',
    'solve',
    'worker',
    'frontend',
    'frontend/dockerfile',
    'frontend/buildpack',
    'gateway',
    'supply',
    'wire/gen',
    'wire/grpc',
    'wire/buildkit',
  ],
  machine: ['base', 'blob', 'tree', 'image', 'snapshot', 'exec'],
  serve: [
    'base',
    'blob',
    'cloud',
    'tree',
    'image',
    'graph',
    'wire/gen',
    'wire/grpc',
    'wire/containerd',
    'wire/buildkit',
    'worker',
    'frontend',
    'gateway',
    'engine',
  ],
  'serve/remote': [
    'base',
    'blob',
    'tree',
    'image',
    'graph',
    'wire/gen',
    'wire/grpc',
    'wire/buildkit',
    'worker',
    'frontend',
    'gateway',
    'engine',
  ],
  lib: ['*'],
  'doors/daemon': ['*'],
  'doors/cli': ['*'],
  'doors/executor': ['*'],
  'doors/lifecycle': ['*'],
  'doors/pack': ['*'],
};

/** The one room that may import each external package, and Node's experimental modules; the others use that room's wrapper. */
const LEDGER: Readonly<Record<string, string>> = {
  undici: 'base',
  'smol-toml': 'base',
  yaml: 'base',
  '@bufbuild/protobuf': 'wire/grpc',
  commander: 'doors/cli',
  'node:ffi': 'base',
  'node:sqlite': 'base',
  'fast-check': 'tests',
};

/** Rooms of generated code: entered by any file, and importing what their generator makes them import. */
const GENERATED: ReadonlySet<string> = new Set(['wire/gen']);

const src = resolve(import.meta.dirname);

function* sources(folder: string): Iterable<string> {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory() && entry.name !== 'testdata') yield* sources(path);
    else if (entry.name.endsWith('.ts')) yield path;
  }
}

function roomOf(file: string): string | undefined {
  const path = relative(src, file);
  return Object.keys(ROOMS)
    .filter((room) => path.startsWith(`${room}/`))
    .sort((a, b) => b.length - a.length)[0];
}

function importsOf(file: string): string[] {
  const text = readFileSync(file, 'utf8');
  const found = text.matchAll(
    /(?:^|\n)\s*(?:import|export)\b[^'"`;]*?from\s*'([^']+)'|\bimport\(\s*'([^']+)'\s*\)|(?:^|\n)import\s*'([^']+)'|createRequire\(import\.meta\.url\)\('([^']+)'\)/g,
  );
  return [...found].map((match) => match[1] ?? match[2] ?? match[3] ?? match[4] ?? '');
}

const isTest = (file: string): boolean => /\.(test|suite)\.ts$/.test(file);

test('a room imports only the rooms it may, by their index', () => {
  const wrong: string[] = [];
  for (const file of sources(src)) {
    const room = roomOf(file);
    if (room === undefined) {
      assert.equal(dirname(file), src, `${relative(src, file)} is in no room`);
      continue;
    }
    for (const specifier of importsOf(file)) {
      if (!specifier.startsWith('.')) continue;
      const target = resolve(dirname(file), specifier);
      const targetRoom = roomOf(target);
      if (targetRoom === room) continue;
      const allowed = ROOMS[room] ?? [];
      const from = relative(src, file);
      if (targetRoom === undefined) wrong.push(`${from}: "${specifier}" leads out of the house`);
      else if (!allowed.includes('*') && !allowed.includes(targetRoom))
        wrong.push(`${from}: ${room} may not import ${targetRoom}`);
      else if (target !== join(src, targetRoom, 'index.ts') && !isTest(file) && !GENERATED.has(targetRoom))
        wrong.push(`${from}: enter ${targetRoom} by its index.ts`);
    }
  }
  assert.deepEqual(wrong, []);
});

test('each external dependency has one owner room', () => {
  const wrong: string[] = [];
  for (const file of sources(src)) {
    if (GENERATED.has(roomOf(file) ?? '')) continue;
    for (const specifier of importsOf(file)) {
      const experimental = specifier === 'node:ffi' || specifier === 'node:sqlite';
      if (specifier.startsWith('.') || (specifier.startsWith('node:') && !experimental)) continue;
      const name = specifier.startsWith('@')
        ? specifier.split('/').slice(0, 2).join('/')
        : experimental
          ? specifier
          : (specifier.split('/')[0] ?? '');
      const owner = LEDGER[name];
      const at = relative(src, file);
      if (owner === undefined) wrong.push(`${at}: "${name}" is not in the ledger`);
      else if (owner === 'tests' ? !isTest(file) : owner !== roomOf(file))
        wrong.push(`${at}: "${name}" belongs to ${owner}`);
    }
  }
  assert.deepEqual(wrong, []);
});

test('the ledger and package.json name the same packages', () => {
  const manifest = JSON.parse(readFileSync(join(src, '../package.json'), 'utf8')) as {
    dependencies: Record<string, string>;
  };
  const owned = Object.keys(LEDGER).filter((name) => !name.startsWith('node:') && LEDGER[name] !== 'tests');
  assert.deepEqual(Object.keys(manifest.dependencies).sort(), owned.sort());
});

/** Two files that are one grammar: a template holds expressions, which hold templates. */
const ONE_GRAMMAR: ReadonlySet<string> = new Set(['hcl/expression-parser.ts', 'hcl/template-parser.ts']);

test('files do not import each other in a circle; two that know each other by types alone may', () => {
  const files = [...sources(src)].filter((file) => !GENERATED.has(roomOf(file) ?? ''));
  const all = new Map(files.map((file) => [file, linksOf(file, IMPORTS)]));
  const values = new Map(files.map((file) => [file, linksOf(file, VALUES)]));
  const names = (circle: readonly string[]): string[] => circle.map((file) => relative(src, file)).sort();
  const wrong = [
    ...circlesOf(values).map(names),
    ...circlesOf(all)
      .filter((circle) => circle.length > 2)
      .map(names),
  ].filter((circle) => !circle.every((file) => ONE_GRAMMAR.has(file)));
  assert.deepEqual(wrong, []);
});

/** What is loaded on its first use only (`import()`) may lead back: a program loads its commands, which are made of what it offers. */
const IMPORTS = /(?:^|\n)(?:import|export)\b[^'"`;]*?from\s*'(\.[^']+)'/g;
const VALUES = /(?:^|\n)(?:import|export)\b(?!\s+type\b)[^'"`;]*?from\s*'(\.[^']+)'/g;

function linksOf(file: string, pattern: RegExp): readonly string[] {
  const found = readFileSync(file, 'utf8').matchAll(pattern);
  return [...found].map((match) => resolve(dirname(file), match[1] ?? ''));
}

/** The strongly connected parts of more than one file (Tarjan). */
function circlesOf(links: ReadonlyMap<string, readonly string[]>): string[][] {
  const order = new Map<string, number>();
  const lowest = new Map<string, number>();
  const open: string[] = [];
  const circles: string[][] = [];
  const visit = (file: string): number => {
    const index = order.size;
    order.set(file, index);
    lowest.set(file, index);
    open.push(file);
    for (const next of links.get(file) ?? []) {
      if (!links.has(next)) continue;
      const reached = !order.has(next) ? visit(next) : open.includes(next) ? (order.get(next) ?? index) : index;
      lowest.set(file, Math.min(lowest.get(file) ?? index, reached));
    }
    const low = lowest.get(file) ?? index;
    if (low === index) {
      const circle = open.splice(open.indexOf(file));
      if (circle.length > 1) circles.push(circle);
    }
    return low;
  };
  for (const file of links.keys()) if (!order.has(file)) visit(file);
  return circles;
}
