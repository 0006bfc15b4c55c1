import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import type { FileOp, SourceOp, State } from '../../graph/index.ts';
import { planText, type Planned } from './fake-host.suite.ts';

const GIT = 'https://h/x.git';
const WEB = 'https://h/context.tgz';
const DOCKERFILE = 'FROM scratch\nCOPY a /a';

const plan = (
  files: Readonly<Record<string, Readonly<Record<string, string | Uint8Array>>>>,
  options: Readonly<Record<string, string>>,
  more: Partial<Parameters<typeof planText>[1]> = {},
): Promise<Planned> => planText('FROM nothing', { ...more, options, world: { files, ...more?.world } });
/** What the last COPY reads. */
const copied = ({ image }: Planned): State['edge'] => image.root.edge?.vertex.inputs[1];
const sourceOf = (edge: State['edge']): object => {
  const op = edge?.vertex.op as SourceOp;
  return JSON.parse(JSON.stringify(op.source)) as object;
};

test('a repository is the build context and holds the Dockerfile; its ignore file is not read', async () => {
  const planned = await plan(
    { [GIT]: { 'sub/Dockerfile': DOCKERFILE, '.dockerignore': 'a\n' } },
    { context: `${GIT}#v1:dir`, filename: 'sub/Dockerfile' },
  );
  const edge = copied(planned);
  assert.deepEqual(sourceOf(edge), { type: 'git', url: GIT, ref: 'v1', subdir: 'dir' });
  assert.equal(edge?.vertex.label.name, `[internal] load git source ${GIT}#v1:dir`);
  assert.deepEqual(planned.host.solved, []);
  assert.deepEqual(planned.host.warnings, []);
});

test('a repository keeps .git when asked, and has the times of the commit with an epoch', async () => {
  const files = { [GIT]: { Dockerfile: DOCKERFILE } };
  const kept = await plan(files, { context: GIT, 'build-arg:BUILDKIT_CONTEXT_KEEP_GIT_DIR': '1' });
  assert.deepEqual(sourceOf(copied(kept)), { type: 'git', url: GIT, keepGitDir: true });
  const dated = await plan(files, { context: `${GIT}?mtime=checkout` }, { epoch: 5 });
  assert.deepEqual(sourceOf(copied(dated)), { type: 'git', url: GIT });
});

test('an archive of the web is unpacked', async () => {
  for (const bytes of [gzipSync('x'), Buffer.from('BZh9'), tarHeader()]) {
    const planned = await plan(
      { [WEB]: { context: bytes }, [`unpacked ${WEB}`]: { Dockerfile: DOCKERFILE } },
      { context: WEB },
    );
    const unpack = copied(planned)?.vertex;
    const [action] = (unpack?.op as FileOp | undefined)?.actions ?? [];
    assert.equal(action?.kind === 'copy' && action.unpack, true);
    assert.deepEqual(sourceOf(unpack?.inputs[1]), { type: 'http', url: WEB, filename: 'context' });
  }
});

test('a file of the web that is no archive is the Dockerfile', async () => {
  const planned = await plan({ [WEB]: { context: 'FROM debian\nRUN x' } }, { context: WEB, filename: 'other' });
  assert.equal(planned.image.root.edge?.vertex.op.kind, 'exec');
  assert.equal(planned.image.root.edge?.vertex.label.place?.file, 'context');
});

test('the Dockerfile may come from elsewhere, and a folder of the context may be the context', async () => {
  const planned = await plan(
    { [GIT]: { Dockerfile: 'FROM nothing' }, mine: { Dockerfile: DOCKERFILE } },
    { context: GIT, dockerfilekey: 'mine', contextsubdir: 'deep/er' },
  );
  const scoped = copied(planned)?.vertex;
  const [action] = (scoped?.op as FileOp | undefined)?.actions ?? [];
  assert.deepEqual(action?.kind === 'copy' && [action.sources, action.destination], [['/deep/er'], '/']);
});

test('named contexts of repositories and addresses', async () => {
  const planned = await planText('FROM scratch\nCOPY --from=repo a /a\nCOPY --from=web context /b', {
    options: { 'context:repo': `${GIT}#main`, 'context:web': WEB },
  });
  const top = planned.image.root.edge?.vertex;
  assert.deepEqual(sourceOf(top?.inputs[1]), { type: 'http', url: WEB });
  assert.equal(top?.inputs[1]?.vertex.label.name, `[context web] ${WEB}`);
  assert.deepEqual(sourceOf(top?.inputs[0]?.vertex.inputs[1]), { type: 'git', url: GIT, ref: 'main' });
  const based = await planText('FROM repo\nCOPY a /b', { options: { 'context:repo': 'git@h:x' } });
  assert.equal(based.image.layers.length, 2);
  assert.equal(based.image.config.history?.length, 2);
});

test('SOURCE_DATE_EPOCH from the context, a named context, or a stage', async () => {
  const epoch = ({ plan: { metadata } }: Planned): string | undefined => {
    const found = metadata.get('source.date.epoch');
    return found === undefined ? undefined : Buffer.from(found).toString();
  };
  const files = { [GIT]: { Dockerfile: DOCKERFILE }, [WEB]: { context: 'FROM scratch' } };
  const world = { times: { [GIT]: 77 } };
  const arg = 'build-arg:SOURCE_DATE_EPOCH';
  assert.equal(epoch(await plan(files, { context: GIT, [arg]: 'context' }, { world })), '77');
  assert.equal(epoch(await plan(files, { context: WEB, [arg]: 'context' }, { world })), undefined);
  const archive = { [WEB]: { context: gzipSync('x') }, [`unpacked ${WEB}`]: { Dockerfile: 'FROM scratch', a: '1' } };
  assert.equal(epoch(await plan(archive, { context: WEB, [arg]: 'context' })), '12', 'the latest of its files');
  const text = `FROM scratch AS src\nARG V=1\nADD ${GIT}#$V /\nFROM debian`;
  const times = { world: { times: { [GIT]: 78 } } };
  assert.equal(epoch(await planText(text, { options: { [arg]: 'SRC' }, ...times })), '78');
  const named = { [arg]: 'repo', 'context:repo': GIT };
  assert.equal(epoch(await planText('FROM scratch', { options: named, ...times })), '78');
  for (const [stage, words] of [
    ['FROM debian AS src', /must use FROM scratch/],
    ['FROM scratch AS src', /exactly one remote ADD/],
    ['FROM scratch AS src\nADD a /', /exactly one remote ADD/],
    ['FROM scratch AS src\nENV a=b', /unsupported ENV instruction/],
  ] as const)
    await assert.rejects(planText(`${stage}\nFROM debian`, { options: { [arg]: 'src' } }), {
      code: 'DOCKERFILE_OPTION',
      message: words,
    });
});

/** The first block of a tar. */
function tarHeader(): Uint8Array {
  const block = Buffer.alloc(512);
  block.write('name');
  block.write('        ', 148);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return block;
}
