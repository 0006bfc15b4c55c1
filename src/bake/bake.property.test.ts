import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { CodedError } from '../base/index.ts';
import { printed, readBake, resolveTargets, type BakeFile } from './index.ts';

async function bake(
  files: readonly BakeFile[],
  overrides: readonly string[] = [],
  wanted = ['default'],
): Promise<unknown> {
  const config = await readBake(files, {
    env: { A: 'a', N: '1' },
    vars: new Map(),
    builtins: new Map([['BAKE_CMD_CONTEXT', 'cwd://']]),
    world: { clock: { now: () => 0 }, random: { hex: (bytes) => '0'.repeat(bytes * 2) }, home: '/' },
    readText: () => undefined,
  });
  return printed(resolveTargets(config, { wanted, overrides, env: {} }));
}

/** Whatever goes in, an answer or one of our own errors comes out. */
async function holds(work: () => Promise<unknown>): Promise<void> {
  try {
    await work();
  } catch (error) {
    assert.ok(error instanceof CodedError, error instanceof Error ? (error.stack ?? error.message) : String(error));
  }
}

const FIELDS =
  `description inherits annotations attest context contexts dockerfile dockerfile-inline args labels tags cache-from cache-to target secret ssh platforms output pull no-cache network no-cache-filter shm-size ulimits
resources call entitlements extra-hosts name matrix unknown`.split(/\s+/);
const VALUES =
  `"x" "\${A}" null true 1 [] {} ["a"] ["type=local,dest=x"] [null] [["a"]] { a = "b" } { a = ["b", "c"] } [{ type = "image" }] [{}] target.default target.default.tags target.other.args target["other"] A N f("x") f() [for x in ["a"] : x] "id=x,src=y" ["=,\\""]`.match(
    /(?:\[[^[\]]*(?:\[[^\]]*\])?[^[\]]*\]|\{[^}]*\}|"(?:[^"\\]|\\.)*"|[^\s"[\]{}]+(?:\["[^"]*"\])?)+/g,
  ) ?? [];

test('any fields with any values are read, or refused in words', async () => {
  const attribute = fc
    .tuple(fc.constantFrom(...FIELDS), fc.constantFrom(...VALUES))
    .map(([name, value]) => `  ${name} = ${value}\n`);
  const target = fc
    .tuple(
      fc.constantFrom('default', 'other', 'x y', ''),
      fc.uniqueArray(attribute, { maxLength: 6, selector: (text) => text.replace(/=[^]*/, '') }),
    )
    .map(([name, lines]) => `target "${name}" {\n${lines.join('')}}\n`);
  const rest = fc.constantFrom(
    '',
    'variable "A" {}\nvariable "N" { default = 2 }\n',
    'variable "A" {\n  type = list(number)\n}\nvariable "N" { type = map(string) }\n',
    'variable "A" { default = N }\nvariable "N" { default = A }\n',
    'function "f" {\n  params = [x]\n  result = "${x}-${f(x)}"\n}\n',
    'function "f" {\n  params = [x]\n  result = upper(x)\n}\ngroup "default" { targets = ["other", "default", "nothing"] }\n',
  );
  await fc.assert(
    fc.asyncProperty(fc.array(target, { maxLength: 3 }), rest, async (targets, text) =>
      holds(() => bake([{ name: 'docker-bake.hcl', text: targets.join('') + text }])),
    ),
    { numRuns: 500 },
  );
});

test('any compose file is read, or refused in words', async () => {
  const leaf = fc.oneof(
    fc.constantFrom('x', '${A}', '${', '', 'default', 'a=b', 'service:web', '1', 'true'),
    fc.integer(),
    fc.boolean(),
    fc.constant(null),
  );
  const value = fc.oneof(
    { maxDepth: 2 },
    leaf,
    fc.array(leaf, { maxLength: 3 }),
    fc.dictionary(fc.constantFrom('a', 'soft', 'hard', 'source', 'path', 'file'), leaf, { maxKeys: 3 }),
  );
  const build = fc.dictionary(
    fc.constantFrom(
      ...'context dockerfile dockerfile_inline args ssh labels cache_from cache_to no_cache pull additional_contexts network target shm_size extra_hosts secrets tags ulimits platforms sbom provenance x-bake entitlements'.split(
        ' ',
      ),
    ),
    value,
    { maxKeys: 5 },
  );
  const service = fc.record(
    { image: leaf, build: fc.oneof(build, leaf), environment: value, env_file: value, extends: value },
    { requiredKeys: [] },
  );
  const file = fc.record(
    {
      services: fc.dictionary(fc.constantFrom('web', 'db', 'a.b', 'x y'), service, { maxKeys: 3 }),
      secrets: value,
      name: leaf,
      include: value,
    },
    { requiredKeys: ['services'] },
  );
  await fc.assert(
    fc.asyncProperty(file, async (content) =>
      holds(() => bake([{ name: 'compose.yaml', text: JSON.stringify(content) }])),
    ),
    { numRuns: 500 },
  );
});

test('any override is applied, or refused in words', async () => {
  const text = 'target "default" {\n  secret = ["id=s,src=x"]\n  output = ["type=image"]\n}\n';
  const key = fc.constantFrom(
    ...FIELDS,
    'platform',
    'push',
    'load',
    'secrets',
    'args.X',
    'labels.',
    'secret.s',
    'resources.memory',
    'resources.cpu-shares',
    'extra-hosts.h',
    '',
  );
  const override = fc
    .tuple(
      fc.constantFrom('default', '*', 'd*', '[', 'nothing', ''),
      key,
      fc.constantFrom('', '+'),
      fc.constantFrom('', '=', '=x', '=true', '=type=local,dest=x', '=id=s,env=E', '="', '=type=', '=1'),
    )
    .map(([pattern, name, plus, value]) => `${pattern}.${name}${plus}${value}`);
  await fc.assert(
    fc.asyncProperty(fc.array(override, { maxLength: 3 }), async (overrides) =>
      holds(() => bake([{ name: 'docker-bake.hcl', text }], overrides)),
    ),
    { numRuns: 500 },
  );
});

test('what is wrong with an override is said with what helps', async () => {
  const files = [{ name: 'docker-bake.hcl', text: 'target "default" {}\ntarget "web" {}\n' }];
  for (const [override, message] of [
    ['web', /the key is missing/],
    ['web.tag=x', /there is no key "tag"/],
    ['nothing.tags=x', /could not find any target matching "nothing"/],
    ['web.args=x', /args needs a name/],
    ['web.pull=maybe', /invalid value "maybe" for boolean key pull/],
    ['web.secret.a=src=x', /secret "a" must be declared/],
    ['web.cache-to=mode=max', /type is required/],
    ['web.resources.cpu-quota=a', /is a whole number/],
  ] as const)
    await assert.rejects(bake(files, [override], ['web']), (error) => {
      assert.ok(error instanceof CodedError);
      assert.equal(error.code, 'BAKE_OVERRIDE');
      assert.match(error.message, message);
      return true;
    });
  await assert.rejects(bake(files, [], ['wbe']), { code: 'BAKE_TARGET_NOT_FOUND', remedy: 'Did you mean "web"?' });
});
