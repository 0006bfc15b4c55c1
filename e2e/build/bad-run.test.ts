import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { craftedRegistry, rawTar, shellRoot } from '../lib/crafted.ts';
import { failsWith, type FailureExpected } from '../lib/failure.ts';
import { emptyStore } from '../lib/store.ts';
import { testUser, userLacking } from '../lib/user.ts';

const SHELL = rawTar(shellRoot());

/** Steps on a root with a shell, the last of which fails as told. `more` comes after it. */
async function fails(
  steps: readonly string[],
  o: Omit<FailureExpected, 'root' | 'place'> & { readonly flags?: readonly string[]; readonly more?: string },
): Promise<string> {
  using store = emptyStore(o.user);
  await using registry = await craftedRegistry();
  const { name } = await registry.image('shell', [SHELL]);
  const context = join(store.work, 'context');
  mkdirSync(context);
  writeFileSync(join(context, 'Dockerfile'), [`FROM ${name}`, ...steps, o.more ?? '', ''].join('\n'));
  const line = (steps.at(-1) ?? '').split('\n')[0] ?? '';
  const before = steps.slice(0, -1).flatMap((step) => step.split('\n'));
  const at = `Dockerfile:${before.length + 2}`;
  const { stderr } = await failsWith(['build', '--progress=plain', ...(o.flags ?? []), context], {
    ...o,
    root: store.root,
    place: { at, line },
  });
  return stderr;
}

describe('bad input (must show 8): steps', () => {
  test('a failing RUN: its output, its exit code, its line', async () => {
    const log = await fails(['RUN echo fine > /made', 'RUN echo to-stdout; echo to-stderr >&2; exit 42'], {
      code: 1,
      says: [
        'process "/bin/sh -c echo to-stdout; echo to-stderr >&2; exit 42" did not complete successfully: exit code: 42',
      ],
      help: 'output',
      more: 'RUN echo never > /never',
    });
    assert.match(log, /^#\d+ \S+ to-stdout$/m);
    assert.match(log, /^#\d+ \S+ to-stderr$/m);
    assert.doesNotMatch(log, /^#\d+ \[3\/4\].*\n(?:.*\n)*#\d+ DONE.*\n(?:.*\n)*#\d+ \[4\/4\]/m);
  });

  test('a RUN of several lines is quoted whole', async () => {
    const log = await fails(['RUN true && \\\n  exit 3'], {
      code: 1,
      says: ['exit code: 3', '>>>   exit 3'],
      help: 'output',
    });
    assert.match(log, /exit code: 3/);
  });

  test('a program that is not there, a user that is not there, a shell that is not there', async () => {
    await fails(['RUN no-such-program --flag'], { code: 1, says: ['exit code: 127'], help: /not in the image/ });
    await fails(['RUN ["/no/such/program"]'], { code: 1, says: ['/no/such/program'], help: /not in the image/ });
    await fails(['USER nobody-knows', 'RUN true'], { code: 64, says: ['nobody-knows'], help: /./ });
    await fails(['SHELL ["/bin/zsh", "-c"]', 'RUN true'], { code: 1, says: ['/bin/zsh'], help: /not in the image/ });
  });

  test('a step ended by a signal', async () => {
    await fails(["RUN sh -c 'kill -9 $$'; exit $?"], { code: 1, says: ['exit code: 137'], help: /memory/ });
  });

  test('a step that may not have what it asks for', async () => {
    await fails(['RUN --network=host true'], { code: 77, says: ['network.host'], help: '--allow network.host' });
    await fails(['RUN --security=insecure true'], {
      code: 77,
      says: ['security.insecure'],
      help: '--allow security.insecure',
    });
  });

  test('a COPY whose destination cannot be', async () => {
    await fails(['COPY Dockerfile /bin/sh/in-a-file'], { code: 64, says: ['/bin/sh'], help: /destination|another/ });
    await fails(['COPY --from=0 /bin/none /x'], { code: 64, says: ['circular dependency'], help: /stage/ });
  });

  test('as an ordinary user', { skip: userLacking() }, async () => {
    using user = testUser();
    await fails(['RUN echo said; exit 7'], { user, cwd: user.home, code: 1, says: ['exit code: 7'], help: 'output' });
    await fails(['RUN no-such-program'], {
      user,
      cwd: user.home,
      code: 1,
      says: ['exit code: 127'],
      help: /not in the image/,
    });
  });
});
