import assert from 'node:assert/strict';
import { test } from 'node:test';
import { imageConfig, planText, type FakeWorld } from './fake-host.suite.ts';
import { lintRules, parseLintConfig, type RuleName } from './lint.ts';

interface Case {
  readonly text: string;
  /** The message, and the line it is about; none: the rule keeps silent. */
  readonly says?: string | undefined;
  readonly line?: number | undefined;
  readonly ignore?: string | undefined;
  readonly world?: Partial<FakeWorld> | undefined;
}

const arm = { 'docker.io/library/arm:latest': imageConfig({}, { architecture: 'arm64' }) };

/** For each rule a case where it speaks and one where it does not. */
const CASES: Readonly<Record<RuleName, readonly Case[]>> = {
  StageNameCasing: [
    { text: 'FROM debian AS Build', says: "Stage name 'Build' should be lowercase", line: 1 },
    { text: 'FROM debian AS build' },
  ],
  FromAsCasing: [
    { text: 'FROM debian as b', says: "'as' and 'FROM' keywords' casing do not match", line: 1 },
    { text: 'from debian AS b', says: "'AS' and 'from' keywords' casing do not match", line: 1 },
    { text: 'FROM debian AS b' },
    { text: 'From debian as b' },
  ],
  NoEmptyContinuation: [
    { text: 'FROM debian\nRUN a \\\n\n b', says: 'Empty continuation line', line: 4 },
    { text: 'FROM debian\nRUN a \\\n # c\n b' },
  ],
  ConsistentInstructionCasing: [
    {
      text: 'FROM debian\nRUN a\nrun b',
      says: "Command 'run' should match the case of the command majority (uppercase)",
      line: 3,
    },
    {
      text: 'from debian\nrun a\nRUN b',
      says: "Command 'RUN' should match the case of the command majority (lowercase)",
      line: 3,
    },
    {
      text: 'FROM debian\nRun b',
      says: "Command 'Run' should match the case of the command majority (uppercase)",
      line: 2,
    },
    { text: 'from debian\nrun a' },
  ],
  DuplicateStageName: [
    {
      text: 'FROM debian AS a\nFROM debian AS a',
      says: 'Duplicate stage name "a", stage names should be unique',
      line: 2,
    },
    { text: 'FROM debian AS a\nFROM debian AS b' },
  ],
  ReservedStageName: [
    {
      text: 'FROM debian AS context',
      says: 'Stage name should not use the same name as reserved stage "context"',
      line: 1,
    },
    { text: 'FROM debian AS contexts' },
  ],
  JSONArgsRecommended: [
    {
      text: 'FROM debian\nCMD a',
      says: 'JSON arguments recommended for CMD to prevent unintended behavior related to OS signals',
      line: 2,
    },
    {
      text: 'FROM debian\nENTRYPOINT a',
      says: 'JSON arguments recommended for ENTRYPOINT to prevent unintended behavior related to OS signals',
      line: 2,
    },
    { text: 'FROM debian\nCMD ["a"]' },
    { text: 'FROM debian\nSHELL ["/bin/bash", "-c"]\nCMD a' },
  ],
  MaintainerDeprecated: [
    {
      text: 'FROM debian\nMAINTAINER me',
      says: 'Maintainer instruction is deprecated in favor of using label',
      line: 2,
    },
    { text: 'FROM debian\nLABEL maintainer=me' },
  ],
  UndefinedArgInFrom: [
    {
      text: 'ARG base=debian\nFROM ${bsae:-debian}',
      says: "FROM argument 'bsae' is not declared (did you mean base?)",
      line: 2,
    },
    { text: 'FROM --platform=${nope:-linux/amd64} debian', says: "FROM argument 'nope' is not declared", line: 1 },
    { text: 'ARG base=debian\nFROM $base' },
    { text: 'ARG base\nFROM ${base:-debian}' },
    { text: 'FROM --platform=$BUILDPLATFORM debian' },
  ],
  WorkdirRelativePath: [
    {
      text: 'FROM debian\nWORKDIR a',
      says: 'Relative workdir "a" can have unexpected results if the base image changes',
      line: 2,
    },
    { text: 'FROM debian\nWORKDIR /a\nWORKDIR b' },
    { text: 'FROM debian AS a\nWORKDIR /a\nFROM a\nWORKDIR b' },
  ],
  UndefinedVar: [
    {
      text: 'FROM debian\nENV NAME=1\nCOPY $NAMS /a',
      says: "Usage of undefined variable '$NAMS' (did you mean $NAME?)",
      line: 3,
    },
    { text: 'FROM debian\nWORKDIR /${nothing}', says: "Usage of undefined variable '$nothing'", line: 2 },
    { text: 'FROM debian\nARG a\nWORKDIR /$a' },
    { text: 'FROM debian\nENV PATH=/x:$PATH' },
  ],
  MultipleInstructionsDisallowed: [
    {
      text: 'FROM debian\nCMD ["a"]\nCMD ["b"]',
      says: 'Multiple CMD instructions should not be used in the same stage because only the last one will be used',
      line: 2,
    },
    {
      text: 'FROM debian\nHEALTHCHECK NONE\nHEALTHCHECK CMD b',
      says: 'Multiple HEALTHCHECK instructions should not be used in the same stage because only the last one will be used',
      line: 2,
    },
    { text: 'FROM debian AS a\nCMD ["a"]\nFROM a\nCMD ["b"]' },
  ],
  LegacyKeyValueFormat: [
    {
      text: 'FROM debian\nENV a b',
      says: '"ENV key=value" should be used instead of legacy "ENV key value" format',
      line: 2,
    },
    {
      text: 'FROM debian\nLABEL a b',
      says: '"LABEL key=value" should be used instead of legacy "LABEL key value" format',
      line: 2,
    },
    { text: 'FROM debian\nENV a=b' },
  ],
  InvalidBaseImagePlatform: [
    {
      text: 'FROM arm',
      says: 'Base image arm was pulled with platform "linux/arm64", expected "linux/amd64" for current build',
      line: 1,
      world: { images: arm },
    },
    { text: 'FROM --platform=linux/arm64 arm AS arm64', world: { images: arm } },
  ],
  RedundantTargetPlatform: [
    {
      text: 'FROM --platform=$TARGETPLATFORM debian',
      says: 'Setting platform to predefined $TARGETPLATFORM in FROM is redundant as this is the default behavior',
      line: 1,
    },
    { text: 'FROM --platform=$BUILDPLATFORM debian' },
  ],
  SecretsUsedInArgOrEnv: [
    {
      text: 'FROM debian\nARG github_TOKEN',
      says: 'Do not use ARG or ENV instructions for sensitive data (ARG "github_TOKEN")',
      line: 2,
    },
    {
      text: 'FROM debian\nENV PASSWORD=x',
      says: 'Do not use ARG or ENV instructions for sensitive data (ENV "PASSWORD")',
      line: 2,
    },
    { text: 'FROM debian\nENV TOKEN_FILE=x KEYBOARD=y public_key=z' },
  ],
  InvalidDefaultArgInFrom: [
    {
      text: 'ARG tag\nFROM debian:${tag}',
      says: 'Default value for ARG debian:${tag} results in empty or invalid base image name',
      line: 2,
    },
    { text: 'ARG tag=latest\nFROM debian:${tag}' },
  ],
  FromPlatformFlagConstDisallowed: [
    {
      text: 'FROM --platform=linux/amd64 debian',
      says: 'FROM --platform flag should not use constant value "linux/amd64"',
      line: 1,
    },
    { text: 'FROM --platform=linux/amd64 debian AS build_amd64' },
  ],
  CopyIgnoredFile: [
    {
      text: 'FROM debian\nCOPY a.log b /x/',
      ignore: '*.log',
      says: 'Attempting to Copy file "a.log" that is excluded by .dockerignore',
      line: 2,
    },
    {
      text: 'FROM debian\nADD ./a /x',
      ignore: 'a',
      says: 'Attempting to Add file "a" that is excluded by .dockerignore',
      line: 2,
    },
    {
      text: 'FROM debian\nCOPY . /x',
      ignore: '**',
      says: 'Attempting to Copy file "." that is excluded by .dockerignore',
      line: 2,
    },
    { text: 'FROM debian\nCOPY . /x', ignore: '*.log' },
    { text: 'FROM debian\nCOPY a /x', ignore: 'a\n!a/b' },
    { text: 'FROM debian AS s\nFROM debian\nCOPY --from=s a /x', ignore: 'a' },
  ],
  InvalidDefinitionDescription: [
    {
      text: '# check=experimental=all\n# wrong words\nFROM debian AS build',
      says: 'Comment for FROM should follow the format: `# build <description>`',
      line: 3,
    },
    {
      text: '# check=experimental=InvalidDefinitionDescription\nFROM debian\n# wrong words\nARG a b',
      says: 'Comment for ARG should follow the format: `# <arg_key> <description>`',
      line: 4,
    },
    { text: '# check=experimental=all\n# build makes it\nFROM debian AS build' },
    { text: '# c\n# wrong words\nFROM debian AS build' },
  ],
  ExposeProtoCasing: [
    {
      text: 'FROM debian\nEXPOSE 80/TCP',
      says: "Defined protocol '80/TCP' in EXPOSE instruction should be lowercase",
      line: 2,
    },
    { text: 'FROM debian\nEXPOSE 80/tcp' },
  ],
  ExposeInvalidFormat: [
    {
      text: 'FROM debian\nEXPOSE 127.0.0.1:80:80',
      says: "EXPOSE instruction should not define an IP address or host-port mapping, found '127.0.0.1:80:80'",
      line: 2,
    },
    { text: 'FROM debian\nEXPOSE 80-81' },
  ],
};

for (const [rule, cases] of Object.entries(CASES) as readonly [RuleName, readonly Case[]][])
  test(`rule ${rule}`, async () => {
    for (const { text, says, line, ignore, world } of cases) {
      const options = rule === 'InvalidDefaultArgInFrom' ? { 'build-arg:tag': 'latest' } : {};
      const { host } = await planText(text, { ignore, world, options });
      const found = host.warnings.filter((warning) => warning.code === rule);
      assert.deepEqual(
        found.map((warning) => warning.message),
        says === undefined ? [] : [says],
        text,
      );
      if (says === undefined) continue;
      const { about, page }: { about: string; page?: string } = lintRules[rule];
      assert.equal(found[0]?.place?.line, line, text);
      assert.equal(found[0]?.detail, about);
      assert.equal(
        found[0]?.url,
        page === undefined ? undefined : `https://docs.docker.com/go/dockerfile/rule/${page}/`,
      );
    }
  });

test('check= skips rules, for the file or for what stands below the comment', async () => {
  const codes = async (text: string, check?: string): Promise<readonly string[]> => {
    const options = check === undefined ? {} : { 'build-arg:BUILDKIT_DOCKERFILE_CHECK': check };
    return (await planText(text, { options })).host.warnings.map((warning) => warning.code);
  };
  const text = 'FROM debian\nENV a b\nMAINTAINER c\nCMD d';
  const all = ['MaintainerDeprecated', 'LegacyKeyValueFormat', 'JSONArgsRecommended'];
  assert.deepEqual(await codes(text), all);
  assert.deepEqual(await codes(`# check=skip=all\n${text}`), []);
  assert.deepEqual(await codes(`# check=skip=LegacyKeyValueFormat,MaintainerDeprecated\n${text}`), all.slice(2));
  assert.deepEqual(await codes(`# check=skip=all\n${text}`, 'skip=JSONArgsRecommended'), all.slice(0, 2));
  assert.deepEqual(await codes(text.replace('ENV', '# check=skip=all\nENV')), [all[0], all[2]]);
});

test('check=error=true makes the remarks an error', async () => {
  await assert.rejects(planText('# check=error=true\nFROM debian\nENV a b\nCMD d'), {
    code: 'DOCKERFILE_LINT',
    message: 'lint violation found for rules: JSONArgsRecommended, LegacyKeyValueFormat',
  });
  await planText('# check=error=true\nFROM debian\nCMD ["d"]');
});

test('wrong check options are named', async () => {
  assert.deepEqual(parseLintConfig(' skip=a, b ;error=1'), { skip: ['a', 'b'], experimental: [], error: true });
  for (const text of ['skip', 'skip=a;warn=b', 'error=maybe'])
    assert.throws(() => parseLintConfig(text), { code: 'DOCKERFILE_OPTION' }, text);
  await assert.rejects(planText('# check=x=y\nFROM debian'), { code: 'DOCKERFILE_OPTION' });
});
