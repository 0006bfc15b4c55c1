import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CodedError, kindOf } from '../base/index.ts';
import { offerCases } from './builder-offers.suite.ts';
import { ARCHIVE, SuiteRig, type Asked, type BuilderPlace } from './builder-rig.suite.ts';

export type { BuilderPlace } from './builder-rig.suite.ts';

/** What every `Builder` does, whether it is in process or a daemon somewhere else. */
export function builderSuite(
  name: string,
  open: () => Promise<BuilderPlace>,
  o: { readonly skip?: string | false | undefined } = {},
): void {
  const cased = (what: string, run: (rig: SuiteRig) => Promise<void>): void => {
    test(`${name}: ${what}`, { skip: o.skip ?? false }, async () => {
      await using rig = new SuiteRig(await open());
      await run(rig);
    });
  };

  cased('an image: its files, config and history, by its name', async (rig) => {
    const dockerfile =
      'FROM scratch\nARG GREETING=none\nCOPY a.txt /x/\nENV G=$GREETING\nLABEL own=1\nWORKDIR /w\nCMD ["/x/a.txt"]\n';
    const built = await rig.build(
      { Dockerfile: dockerfile, 'a.txt': 'content', 'b.txt': 'left out' },
      { options: { 'build-arg:GREETING': 'hi', 'label:more': '2' }, exports: [ARCHIVE] },
    );
    assert.equal(built.error, undefined);
    const config = await rig.configOf(built);
    assert.deepEqual(
      [config.config?.Env, config.config?.Labels, config.config?.WorkingDir, config.config?.Cmd],
      [
        ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', 'G=hi'],
        { own: '1', more: '2' },
        '/w',
        ['/x/a.txt'],
      ],
    );
    const told = (config.history ?? []).map((entry) => [entry.empty_layer ?? false, entry.created_by?.split(' ')[0]]);
    assert.deepEqual(told, [
      [true, 'ARG'],
      [false, 'COPY'],
      [true, 'ENV'],
      [true, 'LABEL'],
      [false, 'WORKDIR'],
      [true, 'CMD'],
    ]);
    assert.equal(config.rootfs.diff_ids.length, 2);
    const [image] = built.result?.images ?? [];
    assert.equal(image?.imageId, built.result?.metadata['containerimage.config.digest']);
    assert.equal(image?.manifests[0]?.descriptor.digest, built.result?.metadata['containerimage.digest']);
    assert.deepEqual(image?.manifests[0]?.names, ['docker.io/library/suite:1']);
  });

  cased('its story: each step is told of before it begins, what begins ends, the result comes last', async (rig) => {
    const { events } = await rig.build(
      { Dockerfile: 'FROM scratch\nCOPY a.txt /\nCOPY b.txt /\n', 'a.txt': rig.unique(), 'b.txt': 'b' },
      { exports: [ARCHIVE] },
    );
    const known = new Set<string>();
    const running = new Set<string>();
    for (const event of events) {
      if (event.kind === 'vertex') known.add(event.id);
      else if ('id' in event) assert.ok(known.has(event.id), `"${event.id}" was not told of`);
      if (event.kind === 'started') running.add(event.id);
      if (event.kind === 'completed') assert.ok(running.delete(event.id), `"${event.id}" ended and had not begun`);
    }
    assert.deepEqual([...running], []);
    assert.equal(events.at(-1)?.kind, 'result');
    const copy = events.find((event) => event.kind === 'vertex' && event.name.includes('COPY b.txt'));
    assert.deepEqual(copy?.kind === 'vertex' && [copy.name, copy.place?.file, copy.place?.line], [
      '[2/2] COPY b.txt /',
      'Dockerfile',
      3,
    ]);
  });

  cased('what was done is not done again, unless told to', async (rig) => {
    const files = { Dockerfile: `${rig.base}\nRUN echo ${rig.unique()}\n` };
    const first = await rig.build(files);
    assert.equal(first.error, undefined);
    const isRun = (step: string): boolean => step.includes('RUN echo');
    assert.equal(first.ran.filter(isRun).length, 1);
    assert.equal((await rig.build(files)).ran.filter(isRun).length, 0);
    const anew = await rig.build(files, { options: { 'no-cache': '' } });
    assert.equal(anew.ran.filter(isRun).length, 1);
  });

  cased('contexts: what .dockerignore leaves out, another one by name, a change', async (rig) => {
    const other = rig.folder({ 'c.txt': 'named' });
    const files = {
      Dockerfile: 'FROM scratch\nCOPY . /all/\nCOPY --from=other c.txt /\n',
      '.dockerignore': 'secret*\nDockerfile\n.dockerignore\n',
      'a.txt': 'one',
      'secret.txt': 'x',
      'sub/b.txt': 'b',
    };
    const ask = { options: { 'context:other': 'local:other' }, folders: { other } };
    const built = await rig.toFolder(files, ask);
    assert.deepEqual(built, { 'all/a.txt': 'one', 'all/sub/b.txt': 'b', 'c.txt': 'named' });
    const changed = await rig.toFolder({ ...files, 'a.txt': 'two!' }, ask);
    assert.deepEqual(changed, { 'all/a.txt': 'two!', 'all/sub/b.txt': 'b', 'c.txt': 'named' });
  });

  cased('a stage as a target, and files between stages', async (rig) => {
    const files = {
      Dockerfile: 'FROM scratch AS one\nCOPY a.txt /\nFROM scratch AS two\nCOPY --from=one /a.txt /b.txt\n',
      'a.txt': 'a',
    };
    assert.deepEqual(await rig.toFolder(files), { 'b.txt': 'a' });
    assert.deepEqual(await rig.toFolder(files, { options: { target: 'one' } }), { 'a.txt': 'a' });
  });

  cased('what RUN lines say, and one that fails: where it stands, with its words before', async (rig) => {
    const built = await rig.build({
      Dockerfile: `${rig.base}\nRUN echo before ${rig.unique()}\nRUN echo last words; exit 3\n`,
    });
    assert.match(built.log, /before \w+\n[^]*last words\n/);
    const { error } = built;
    assert.ok(error instanceof CodedError, String(error));
    assert.deepEqual([error.code, error.kind], ['STEP_FAILED', 'failed']);
    assert.match(error.message, /^process ".*exit 3" did not complete successfully: exit code: 3$/);
    assert.deepEqual([error.place?.file, error.place?.line], ['Dockerfile', rig.baseLines + 2]);
    const failed = built.events.filter((event) => event.kind === 'completed' && event.error !== undefined);
    assert.equal(failed.length, 1);
    assert.equal((await rig.build({ Dockerfile: 'FROM scratch\nENV A=b\n' })).error, undefined);
  });

  cased('what cannot be built is said, and where', async (rig) => {
    const fails = async (dockerfile: string, o: Asked = {}): Promise<CodedError> => {
      const { error, result } = await rig.build({ Dockerfile: dockerfile }, o);
      assert.equal(result, undefined);
      assert.ok(error instanceof CodedError, String(error));
      return error;
    };
    const missing = await fails('FROM scratch\n\nCOPY absent.txt /\n');
    assert.match(missing.message, /absent\.txt.*not found|absent\.txt.*no such/);
    assert.equal(missing.place?.line, 3);
    const wrong = await fails('FROM scratch\nCOPPY a b\n');
    assert.deepEqual([wrong.kind, wrong.place?.line], ['invalid', 2]);
    const target = await fails('FROM scratch AS one\n', { options: { target: 'two' } });
    assert.match(target.message, /two/);
  });

  cased('questions: an answer and no image', async (rig) => {
    const built = await rig.build(
      { Dockerfile: 'FROM scratch AS one\nFROM scratch AS two\n' },
      { options: { requestid: 'frontend.targets' }, exports: [] },
    );
    assert.equal(built.error, undefined);
    assert.deepEqual(built.result?.images, []);
    const { targets } = JSON.parse(String(built.result?.metadata['result.json'])) as { targets: { name: string }[] };
    assert.deepEqual(
      targets.map((target) => target.name),
      ['one', 'two'],
    );
  });

  cased('a build that is stopped ends at once, and the next one is right', async (rig) => {
    const stop = new AbortController();
    const built = await rig.build(
      { Dockerfile: `${rig.base}\nRUN echo ${rig.unique()}; ${rig.forever}\n` },
      {
        signal: stop.signal,
        onEvent: (event) => {
          if (event.kind === 'log') stop.abort(new CodedError({ code: 'STOP', kind: 'cancelled', message: 'enough' }));
        },
      },
    );
    assert.equal(kindOf(built.error), 'cancelled');
    assert.equal(built.result, undefined);
    assert.equal((await rig.build({ Dockerfile: 'FROM scratch\nENV A=b\n' })).error, undefined);
  });

  offerCases(cased);

  cased('builds at the same time do not disturb each other', async (rig) => {
    const built = await Promise.all(
      ['one', 'two', 'three'].map((word) =>
        rig.toFolder({ Dockerfile: 'FROM scratch\nCOPY a.txt /\n', 'a.txt': word }),
      ),
    );
    assert.deepEqual(built, [{ 'a.txt': 'one' }, { 'a.txt': 'two' }, { 'a.txt': 'three' }]);
  });
}
