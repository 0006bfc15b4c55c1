import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { failsWith, type FailureExpected } from '../lib/failure.ts';
import { emptyStore } from '../lib/store.ts';

type Expected = Omit<FailureExpected, 'root'> & { readonly flags?: readonly string[] | undefined };

/** A build of these files that fails as told. */
async function fails(files: Readonly<Record<string, string | Uint8Array>>, o: Expected): Promise<void> {
  using store = emptyStore();
  for (const [name, content] of Object.entries(files)) writeFileSync(join(store.work, name), content);
  await failsWith(['build', '--progress=plain', ...(o.flags ?? []), '.'], { ...o, root: store.root, cwd: store.work });
}

const invalid = 64;
const notFound = 66;

describe('bad input (must show 8): the Dockerfile', () => {
  test('there is none', async () => {
    await fails({}, { code: notFound, says: ['Dockerfile": no such file'], help: '-f' });
    await fails(
      { 'Dockerfile.dev': 'FROM scratch\n' },
      { code: notFound, says: ['no such file'], help: '"Dockerfile.dev"' },
    );
    await fails({}, { flags: ['-f', 'other'], code: notFound, says: ['other": no such file'], help: '-f' });
    using store = emptyStore();
    const o = { root: store.root, cwd: store.work };
    await failsWith(['build', 'nowhere'], {
      ...o,
      code: notFound,
      says: ['"nowhere": no such folder'],
      help: 'strake build .',
    });
    mkdirSync(join(store.work, 'Dockerfile'));
    await failsWith(['build', '.'], { ...o, code: notFound, says: ['Dockerfile": it is a folder'], help: '-f' });
  });

  test('it is empty, or no text', async () => {
    await fails({ Dockerfile: '' }, { code: invalid, says: ['cannot be empty'], help: 'FROM' });
    await fails(
      { Dockerfile: Buffer.from('FROM scratch\nRUN \xff\xfe\n', 'latin1') },
      { code: invalid, place: { at: 'Dockerfile:2', line: 'RUN \ufffd\ufffd' }, says: ['not UTF-8'], help: 'UTF-8' },
    );
  });

  test('an instruction that does not exist', async () => {
    await fails(
      { Dockerfile: 'FROM scratch\n\nCOPYY a b\n' },
      {
        code: invalid,
        place: { at: 'Dockerfile:3', line: 'COPYY a b' },
        says: ['unknown instruction: COPYY (did you mean COPY?)'],
        help: 'word',
      },
    );
  });

  test('a flag that an instruction does not have', async () => {
    await fails(
      { Dockerfile: 'FROM scratch\nCOPY --chwon=1 a b\n' },
      {
        code: invalid,
        place: { at: 'Dockerfile:2', line: 'COPY --chwon=1 a b' },
        says: ['unknown flag: --chwon (did you mean chown?)'],
        help: '--chown',
      },
    );
  });

  test('what this version cannot do yet', async () => {
    await fails(
      { Dockerfile: 'FROM scratch\nRUN --device=vendor.example/gpu true\n' },
      {
        code: 78,
        place: { at: 'Dockerfile:2', line: 'RUN --device=vendor.example/gpu true' },
        says: ['not supported yet'],
        help: /./,
      },
    );
  });

  test('a flag of the command line that does not exist, and values that cannot be meant', async () => {
    const Dockerfile = 'FROM scratch\nCOPY Dockerfile /\n';
    const cases: readonly [flags: string[], says: string | RegExp, help: string | RegExp][] = [
      [['--taggg', 'x'], 'unknown option "--taggg"', 'Did you mean --tag? See "strake build --help".'],
      [['-t', 'UPPER:x'], 'upper-case', '"upper"'],
      [['-o', 'type=foo'], '"foo"', 'registry'],
      [['--platform', 'a/b/c/d'], '"a/b/c/d"', 'linux/amd64'],
      [['--build-arg', '=x'], '--build-arg "=x"', 'name=value'],
      [['--progress', 'loud'], '"loud"', 'strake build --help'],
      [['--network', 'nowhere'], 'nowhere', /./],
      [['--target', 'nowhere'], 'target stage "nowhere" could not be found', /./],
    ];
    for (const [flags, says, help] of cases)
      await fails({ Dockerfile }, { flags, code: flags[0] === '--target' ? notFound : invalid, says: [says], help });
  });

  test('a global option before the command does not hide which command it was', async () => {
    using store = emptyStore();
    await failsWith(['--root', store.root, 'build', '--taggg'], {
      root: store.root,
      code: invalid,
      says: ['"--taggg"'],
      help: 'See "strake build --help".',
    });
  });

  test('a stage that does not exist', async () => {
    const Dockerfile = 'FROM scratch AS builder\nCOPY Dockerfile /\nFROM scratch\nCOPY --from=bulider /Dockerfile /\n';
    // No such image either: a bare name is looked up at the default registry, which an unreachable proxy stands for here.
    const env = { HTTPS_PROXY: 'http://127.0.0.1:9', https_proxy: 'http://127.0.0.1:9', NO_PROXY: '', no_proxy: '' };
    await fails(
      { Dockerfile },
      {
        env,
        code: 69,
        place: { at: 'Dockerfile:4', line: 'COPY --from=bulider /Dockerfile /' },
        says: ['did you mean builder?'],
        help: /./,
      },
    );
    await fails(
      { Dockerfile: 'FROM scratch\nCOPY --from=3 /a /\n' },
      { code: notFound, place: { at: 'Dockerfile:2', line: 'COPY --from=3 /a /' }, says: ['stage index 3'], help: '0' },
    );
    await fails(
      { Dockerfile },
      { flags: ['--target', 'bulider'], code: notFound, says: ['did you mean builder?'], help: 'builder' },
    );
  });

  test('a base that is not defined', async () => {
    await fails(
      { Dockerfile: 'ARG OTHER=1\nFROM $UNSET\n' },
      {
        code: invalid,
        place: { at: 'Dockerfile:2', line: 'FROM $UNSET' },
        says: ['base name ($UNSET)'],
        help: '--build-arg',
      },
    );
    await fails(
      { Dockerfile: 'ARG TAG\nFROM debian:${TAG}\n' },
      {
        code: invalid,
        place: { at: 'Dockerfile:2', line: 'FROM debian:${TAG}' },
        says: ['"debian:"'],
        help: '--build-arg',
      },
    );
    await fails(
      { Dockerfile: 'FROM Some:bad:name\n' },
      { code: invalid, place: { at: 'Dockerfile:1', line: 'FROM Some:bad:name' }, says: ['upper-case'], help: /./ },
    );
    await fails(
      { Dockerfile: 'RUN true\nFROM scratch\n' },
      { code: invalid, place: { at: 'Dockerfile:1', line: 'RUN true' }, says: ['no build stage'], help: 'FROM' },
    );
  });

  test('a secret whose file is not there', async () => {
    const Dockerfile = 'FROM scratch\nCOPY Dockerfile /\n';
    await fails(
      { Dockerfile },
      {
        flags: ['--secret', 'id=a,src=none'],
        code: notFound,
        says: ['secret "a"', 'none": no such file or folder'],
        help: /./,
      },
    );
    await fails(
      { Dockerfile },
      { flags: ['--secret', 'id=a,src=/'], code: notFound, says: ['secret "a"', 'it is a folder'], help: /./ },
    );
  });
});
