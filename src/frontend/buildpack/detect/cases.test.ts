import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { CodedError, encodeToml, parseToml } from '../../../base/index.ts';
import type { DetectRun, GroupEntry, ModuleDescriptor, ModuleId, ModuleKind, Order, Target } from '../model/types.ts';
import { detectGroup, type DetectInput, type DetectModule } from './detect.ts';

interface Case {
  readonly name: string;
  readonly order: string;
  readonly extensions?: string;
  readonly pre?: string;
  readonly post?: string;
  readonly modules: Readonly<Record<string, string>>;
  readonly platform?: string;
  readonly env?: string;
  readonly distro?: string;
  readonly osrelease?: string;
  readonly group?: string;
  readonly ext?: string;
  readonly plan?: readonly string[];
  readonly code?: string;
  /** The ids whose bin/detect ran. */
  readonly runs?: string;
}

const CODES: Readonly<Record<string, string>> = {
  20: 'CNB_NOT_DETECTED',
  21: 'CNB_DETECT_FAILED',
  missing: 'CNB_MODULE_MISSING',
  invalid: 'CNB_FILE_INVALID',
  api: 'CNB_BUILDPACK_API_UNSUPPORTED',
};

const words = (text: string): string[] => text.split(' ').filter((word) => word !== '');

function order(text: string, kind: ModuleKind): Order {
  return text.trim() === '' ? [] : text.split('|').map((group) => words(group).map((word) => entry(word, kind)));
}

function entry(word: string, kind: ModuleKind): GroupEntry {
  const [, id = '', version = '1', env, optional] = /^([^@?{]+)(?:@([^?{]+))?(?:\{(.*)\})?(\?)?$/.exec(word) ?? [];
  return {
    kind,
    id,
    version,
    optional: optional === '?' || kind === 'extension',
    execEnv: env === undefined ? [] : env.split(','),
  };
}

function target(text: string): Target {
  const [os = '', arch = '', variant = '', ...rest] = text.split('/');
  const distros = rest
    .join('')
    .split('+')
    .filter((word) => word !== '');
  return { os, arch, variant, distros: distros.map(distro) };
}

function distro(text: string): { name: string; version: string } {
  const [name = '', version = ''] = text.split('@');
  return { name, version };
}

function moduleOf(id: ModuleId, text: string): { module: DetectModule; body: string } {
  const [head, tail] = text.includes(' : ') ? text.split(' : ') : ['', text];
  const body = tail!.trim();
  const attributes = new Map(words(head!).map((word) => word.split('=') as [string, string]));
  const list = (name: string): string[] => attributes.get(name)?.split(',') ?? [];
  const composite = /^\[(.*)\]$/.exec(body);
  const descriptor: ModuleDescriptor = {
    ...id,
    api: attributes.get('api') ?? '0.12',
    keywords: [],
    licenses: [],
    clearEnv: false,
    sbomFormats: [],
    execEnv: list('env'),
    order: composite ? order(composite[1]!, 'buildpack') : [],
    targets: list('target').map(target),
    stacks: list('stack').map((stack) => ({ id: stack, mixins: [] })),
    metadata: {},
  };
  const programs = attributes.has('programs') ? list('programs') : ['build', 'detect', 'generate'];
  return { module: { descriptor, programs, plan: planText(body, id.id) }, body };
}

/** What a bin/detect writes that provides `+name` and requires `-name`; each requirement says who has it. */
function planText(body: string, by: string): string {
  const [main, ...or] = body.split(';').map((section) => ({
    provides: words(section).flatMap((word) => (word.startsWith('+') ? [{ name: word.slice(1) }] : [])),
    requires: words(section).flatMap((word) =>
      word.startsWith('-') ? [{ name: word.slice(1), metadata: { by } }] : [],
    ),
  }));
  return encodeToml({ ...main, or: or.length === 0 ? undefined : or });
}

function runOf(body: string, by: string): DetectRun {
  const output = new TextEncoder().encode(`says ${body}\n`);
  if (body === 'no') return { code: 100, output };
  if (body.startsWith('err')) return { code: Number(body.slice(4)), output };
  return { code: 0, output, plan: body === 'bad' ? 'a = = b' : planText(body, by) };
}

function inputOf(given: Case, runs: string[]): DetectInput {
  const found = (id: ModuleId): ReturnType<typeof moduleOf> | undefined => {
    const text = given.modules[id.id];
    return text === undefined ? undefined : moduleOf(id, text);
  };
  return {
    order: order(given.order, 'buildpack'),
    extensions: order(given.extensions ?? '', 'extension'),
    system: { pre: order(given.pre ?? '', 'buildpack').flat(), post: order(given.post ?? '', 'buildpack').flat() },
    platformApi: given.platform ?? '0.15',
    execEnv: given.env ?? 'production',
    target: {
      os: 'linux',
      arch: 'amd64',
      variant: '',
      distro: given.distro === undefined ? undefined : distro(given.distro),
    },
    osRelease: async () => given.osrelease ?? 'ID=debian\nVERSION_ID="12"\n',
    find: async (id) => found(id)?.module,
    run: async ({ descriptor }) => {
      runs.push(descriptor.kind === 'extension' ? `+${name(descriptor)}` : name(descriptor));
      return runOf(found(descriptor)!.body, descriptor.id);
    },
  };
}

const name = ({ id, version }: ModuleId): string => (version === '1' ? id : `${id}@${version}`);

const { case: cases } = parseToml(
  readFileSync(join(import.meta.dirname, 'testdata/cases.toml'), 'utf8'),
  'cases.toml',
) as {
  case: readonly Case[];
};

test('there are enough cases, each with a name of its own', () => {
  assert.ok(cases.length >= 100, `${cases.length}`);
  assert.equal(new Set(cases.map((one) => one.name)).size, cases.length);
});

for (const one of cases)
  test(`detection: ${one.name}`, async () => {
    const runs: string[] = [];
    const result = detectGroup(inputOf(one, runs));
    if (one.code !== undefined) {
      await assert.rejects(result, (error) => {
        assert.ok(error instanceof CodedError, String(error));
        assert.equal(error.code, CODES[one.code!], error.message);
        return true;
      });
    } else {
      const { group, extensions, plan } = await result;
      assert.equal(group.map(name).join(' '), one.group);
      assert.equal(extensions.map(name).join(' '), one.ext ?? '');
      const entries = plan.map(
        ({ providers, requires }) =>
          `${requires[0]!.name}: ${providers.map(name).join(' ')} <- ${requires.map(({ metadata }) => metadata['by']).join(' ')}`,
      );
      assert.deepEqual(entries.sort(), [...(one.plan ?? [])].sort());
    }
    assert.deepEqual(runs, [...new Set(runs)], 'each bin/detect runs once');
    if (one.runs !== undefined) assert.equal(runs.sort().join(' '), one.runs);
  });
