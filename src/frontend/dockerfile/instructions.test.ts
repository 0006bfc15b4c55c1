import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CodedError } from '../../base/index.ts';
import type { Instruction, Program, StageInstruction } from './instruction.ts';
import { programOf } from './instructions.ts';
import { parseDockerfile } from './parser.ts';
import { SourceText } from './text.ts';

function read(text: string): Program {
  const source = new SourceText('Dockerfile', text);
  return programOf(parseDockerfile(source), source);
}

/** The first instruction after `FROM a`. */
function one<K extends StageInstruction['kind']>(text: string): StageInstruction & { kind: K } {
  return read(`FROM a\n${text}`).stages[0]?.instructions[0] as StageInstruction & { kind: K };
}

const from = (text: string): Partial<Instruction> => read(text).stages[0]!.from;

test('FROM takes an image, a name and a platform', () => {
  assert.partialDeepStrictEqual(from('FROM a:1'), { base: 'a:1', platform: undefined });
  assert.partialDeepStrictEqual(from('from --platform=$BUILDPLATFORM a As My-Stage.1_x'), {
    base: 'a',
    as: 'As',
    alias: 'my-stage.1_x',
    aliasWritten: 'My-Stage.1_x',
    platform: '$BUILDPLATFORM',
  });
});

test('ARGs before the first FROM are global', () => {
  const program = read('ARG a\nARG b=1 c\nFROM x\nARG d');
  assert.deepEqual(
    program.globals.flatMap((arg) => arg.args),
    [{ key: 'a' }, { key: 'b', value: '1' }, { key: 'c' }],
  );
  assert.equal(program.stages[0]?.instructions.length, 1);
});

test('COPY and ADD: flags, paths, inline files', () => {
  assert.partialDeepStrictEqual(
    one<'copy'>('COPY --from=b --chown=1:2 --chmod=u+x --link --parents --exclude=x --exclude=y a b /c'),
    {
      sources: ['a', 'b'],
      destination: '/c',
      from: 'b',
      chown: '1:2',
      chmod: 'u+x',
      link: true,
      parents: true,
      exclude: ['x', 'y'],
    },
  );
  assert.partialDeepStrictEqual(one<'add'>('ADD --keep-git-dir=false --checksum=sha256:0 --unpack --link=FALSE a b'), {
    keepGitDir: false,
    checksum: 'sha256:0',
    unpack: true,
    link: false,
  });
  assert.partialDeepStrictEqual(one<'copy'>('COPY a <<x <<-"y" /d/\n$1\nx\n\t$2\ny'), {
    sources: ['a'],
    files: [
      { name: 'x', content: '$1\n', expand: true },
      { name: 'y', content: '$2\n', expand: false },
    ],
  });
  assert.deepEqual(one<'copy'>('COPY ["<<x", "/d"]').sources, ['<<x']);
});

test('RUN: forms and flags', () => {
  assert.partialDeepStrictEqual(one<'run'>('RUN --network=none --security=insecure a  b'), {
    args: ['a  b'],
    shell: true,
    network: 'none',
    security: 'insecure',
  });
  assert.partialDeepStrictEqual(one<'run'>('RUN ["a", "b"]'), { args: ['a', 'b'], shell: false, network: 'default' });
  assert.deepEqual(
    one<'run'>('RUN --mount=type=cache,target=/x --mount=from=b,target=/y,rw a').mounts.map((mount) => mount.from),
    ['', 'b'],
  );
  assert.deepEqual(one<'run'>('RUN --device=vendor.com/gpu=all,required a').devices, [
    { name: 'vendor.com/gpu=all', required: true },
  ]);
});

test('HEALTHCHECK: none, or a command with times', () => {
  assert.deepEqual(one<'healthcheck'>('HEALTHCHECK none').health, { Test: ['NONE'] });
  assert.partialDeepStrictEqual(
    one<'healthcheck'>(
      'HEALTHCHECK --interval=1m30s --timeout=3s --start-period=0s --start-interval=5ms --retries=3 cmd ["a"]',
    ).health,
    {
      Test: ['CMD', 'a'],
      Interval: 90e9,
      Timeout: 3e9,
      StartPeriod: undefined,
      StartInterval: 5e6,
      Retries: 3,
    },
  );
  assert.deepEqual(one<'healthcheck'>('HEALTHCHECK CMD a b').health.Test, ['CMD-SHELL', 'a b']);
});

test('ONBUILD keeps its trigger as text', () => {
  assert.equal(one<'onbuild'>('OnBuild   RUN a \\\n b').text, 'RUN a  b');
  assert.equal(one<'onbuild'>('ONBUILD COPY <<x <<y /d/\n1\nx\n2\ny').text, 'COPY <<x <<y /d/\n1\nx\n2\ny');
});

test('the others', () => {
  assert.deepEqual(one<'expose'>('EXPOSE 9 80/udp 443').ports, ['443', '80/udp', '9']);
  assert.deepEqual(one<'volume'>('VOLUME /a /b').volumes, ['/a', '/b']);
  assert.deepEqual(one<'shell'>('SHELL ["/bin/bash", "-c"]').shell, ['/bin/bash', '-c']);
  assert.equal(one<'user'>('USER a b').text, 'a b');
  assert.equal(one<'workdir'>('WORKDIR /a b').text, '/a b');
  assert.equal(one<'stopsignal'>('STOPSIGNAL SIGTERM').text, 'SIGTERM');
  assert.equal(one<'maintainer'>('MAINTAINER A B <c>').text, 'A B <c>');
  assert.partialDeepStrictEqual(one<'cmd'>('CMD []'), { args: [], shell: false });
  assert.partialDeepStrictEqual(one<'entrypoint'>('ENTRYPOINT a'), { args: ['a'], shell: true });
});

/** Text after `FROM a` on line 1, code, words of the message. */
const REFUSED: readonly (readonly [string, string, RegExp])[] = [
  [
    'RUNN a',
    'DOCKERFILE_UNKNOWN_INSTRUCTION',
    /^dockerfile parse error on line 2: unknown instruction: RUNN \(did you mean RUN\?\)$/,
  ],
  ['copu a b', 'DOCKERFILE_UNKNOWN_INSTRUCTION', /unknown instruction: copu \(did you mean copy\?\)/],
  ['apt-get install x', 'DOCKERFILE_UNKNOWN_INSTRUCTION', /unknown instruction: apt-get$/],
  ['COPY --form=x a b', 'DOCKERFILE_FLAG', /unknown flag: --form \(did you mean from\?\)/],
  ['ENV --x=1 a=b', 'DOCKERFILE_FLAG', /unknown flag: --x$/],
  ['WORKDIR --x /a', 'DOCKERFILE_FLAG', /unknown flag: --x/],
  ['COPY --from=a --from=b c d', 'DOCKERFILE_FLAG', /duplicate flag specified: --from/],
  ['COPY --from a b', 'DOCKERFILE_FLAG', /missing a value on flag: --from/],
  ['COPY --link=x a b', 'DOCKERFILE_FLAG', /expecting boolean value for flag --link, not: x/],
  ['COPY --link= a b', 'DOCKERFILE_FLAG', /missing a value on flag: --link/],
  ['RUN --mount a', 'DOCKERFILE_FLAG', /missing a value on flag: --mount/],
  ['RUN --mount=type=cach,target=/a x', 'DOCKERFILE_FLAG', /unsupported mount type "cach" \(did you mean cache\?\)/],
  [
    'RUN --mount=type=cache,targt=/a x',
    'DOCKERFILE_FLAG',
    /unexpected key 'targt' in 'targt=\/a' \(did you mean target\?\)/,
  ],
  ['RUN --mount=type=cache,target x', 'DOCKERFILE_FLAG', /invalid field 'target' must be a key=value pair/],
  ['RUN --mount=type=cache,sharing=lock,target=/a x', 'DOCKERFILE_FLAG', /unsupported sharing value "lock"/],
  ['RUN --mount=from=$x,target=/a x', 'DOCKERFILE_FLAG', /'from' doesn't support variable expansion/],
  ['RUN --mount=type=secret x', 'DOCKERFILE_FLAG', /one of source, target required/],
  ['RUN --mount=type=secret,id=a,src=b x', 'DOCKERFILE_FLAG', /both source and id can't be set/],
  ['RUN --mount=type=bind,uid=1,target=/a x', 'DOCKERFILE_FLAG', /uid not allowed for "bind" type mounts/],
  ['RUN --mount=type=cache,mode=9,target=/a x', 'DOCKERFILE_FLAG', /invalid value 9 for mode/],
  ['RUN --mount=type=bind,size=1m,target=/a x', 'DOCKERFILE_FLAG', /unexpected key 'size' for mount type 'bind'/],
  ['RUN --mount=type=bind,ro=maybe,target=/a x', 'DOCKERFILE_FLAG', /invalid value for ro: maybe/],
  ['RUN --mount="a x', 'DOCKERFILE_FLAG', /./],
  ['RUN --network=hots a', 'DOCKERFILE_INSTRUCTION', /invalid network mode "hots"/],
  ['RUN --security=off a', 'DOCKERFILE_INSTRUCTION', /security "off" is not valid/],
  ['RUN []', 'DOCKERFILE_INSTRUCTION', /RUN requires at least one argument/],
  ['COPY a', 'DOCKERFILE_INSTRUCTION', /COPY requires at least two arguments, but only one was provided/],
  ['ADD', 'DOCKERFILE_INSTRUCTION', /ADD requires at least two arguments/],
  ['COPY a <<b\nb', 'DOCKERFILE_INSTRUCTION', /COPY cannot accept a heredoc as a destination/],
  ['ENV', 'DOCKERFILE_INSTRUCTION', /ENV requires at least one argument/],
  ['LABEL', 'DOCKERFILE_INSTRUCTION', /LABEL requires at least one argument/],
  ['ENV =b', 'DOCKERFILE_INSTRUCTION', /ENV names can not be blank/],
  ['ARG', 'DOCKERFILE_INSTRUCTION', /ARG requires at least one argument/],
  ['ARG =b', 'DOCKERFILE_INSTRUCTION', /ARG names can not be blank/],
  ['WORKDIR', 'DOCKERFILE_INSTRUCTION', /WORKDIR requires exactly one argument/],
  ['USER', 'DOCKERFILE_INSTRUCTION', /USER requires exactly one argument/],
  ['STOPSIGNAL', 'DOCKERFILE_INSTRUCTION', /STOPSIGNAL requires exactly one argument/],
  ['MAINTAINER', 'DOCKERFILE_INSTRUCTION', /MAINTAINER requires exactly one argument/],
  ['EXPOSE', 'DOCKERFILE_INSTRUCTION', /EXPOSE requires at least one argument/],
  ['VOLUME', 'DOCKERFILE_INSTRUCTION', /VOLUME requires at least one argument/],
  ['VOLUME ["/a", " "]', 'DOCKERFILE_INSTRUCTION', /VOLUME specified can not be an empty string/],
  ['SHELL /bin/sh -c', 'DOCKERFILE_INSTRUCTION', /SHELL requires the arguments to be in JSON form/],
  ['SHELL []', 'DOCKERFILE_INSTRUCTION', /SHELL requires at least one argument/],
  ['ONBUILD', 'DOCKERFILE_INSTRUCTION', /ONBUILD requires at least one argument/],
  ['ONBUILD ONBUILD RUN a', 'DOCKERFILE_INSTRUCTION', /Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed/],
  ['ONBUILD from b', 'DOCKERFILE_INSTRUCTION', /FROM isn't allowed as an ONBUILD trigger/],
  ['ONBUILD MAINTAINER b', 'DOCKERFILE_INSTRUCTION', /MAINTAINER isn't allowed as an ONBUILD trigger/],
  ['HEALTHCHECK', 'DOCKERFILE_INSTRUCTION', /HEALTHCHECK requires at least one argument/],
  ['HEALTHCHECK NONE x', 'DOCKERFILE_INSTRUCTION', /HEALTHCHECK NONE takes no arguments/],
  ['HEALTHCHECK CMD', 'DOCKERFILE_INSTRUCTION', /Missing command after HEALTHCHECK CMD/],
  ['HEALTHCHECK curl x', 'DOCKERFILE_INSTRUCTION', /Unknown type "CURL" in HEALTHCHECK/],
  ['HEALTHCHECK --interval=5 CMD x', 'DOCKERFILE_INSTRUCTION', /missing unit in duration "5"/],
  ['HEALTHCHECK --timeout=1ns CMD x', 'DOCKERFILE_INSTRUCTION', /Interval "timeout" cannot be less than 1ms/],
  ['HEALTHCHECK --retries=-1 CMD x', 'DOCKERFILE_INSTRUCTION', /--retries cannot be negative/],
  ['HEALTHCHECK --retries=x CMD x', 'DOCKERFILE_INSTRUCTION', /not a whole number/],
  ['FROM', 'DOCKERFILE_INSTRUCTION', /FROM requires either one or three arguments/],
  ['FROM b as', 'DOCKERFILE_INSTRUCTION', /FROM requires either one or three arguments/],
  ['FROM b to c', 'DOCKERFILE_INSTRUCTION', /FROM requires either one or three arguments/],
  ['FROM b AS 1c', 'DOCKERFILE_INSTRUCTION', /invalid name for build stage: "1c"/],
  ['FROM b AS c/d', 'DOCKERFILE_INSTRUCTION', /invalid name for build stage/],
  ['FROM --plattform=x b', 'DOCKERFILE_FLAG', /unknown flag: --plattform \(did you mean platform\?\)/],
];

test('each fault has its code, place, words and remedy', () => {
  for (const [text, code, words] of REFUSED)
    assert.throws(
      () => read(`FROM a\n${text}`),
      (error) => {
        assert.ok(error instanceof CodedError, `${text}: ${String(error)}`);
        assert.equal(error.code, code, text);
        assert.match(error.message, words, text);
        assert.equal(error.place?.line, 2, text);
        assert.ok(error.place?.text?.startsWith(text.split('\n')[0] ?? ''), text);
        assert.ok(error.remedy, `${text} has a remedy`);
        return true;
      },
      text,
    );
});

test('FROM comes first, and must come', () => {
  assert.throws(() => read('RUN a\nFROM b'), {
    code: 'DOCKERFILE_NO_STAGE',
    message: 'no build stage in current context',
  });
  assert.throws(() => read('ARG a'), {
    code: 'DOCKERFILE_NO_STAGE',
    message: 'dockerfile contains no stages to build',
  });
});

test('ARG and STOPSIGNAL do not read flags, as BuildKit', () => {
  assert.deepEqual(one<'arg'>('ARG --x a').args, [{ key: 'a' }]);
  assert.equal(one<'stopsignal'>('STOPSIGNAL --x 9').text, '9');
});
