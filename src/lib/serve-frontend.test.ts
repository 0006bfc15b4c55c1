import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import { CodedError, kindOf } from '../base/index.ts';
import type { ContainerProcess, Frontend } from '../frontend/index.ts';
import { gatewayFrontend } from '../gateway/index.ts';
import { FakeGatewayHost, requestFor, type FakeGateway } from '../gateway/fake-host.suite.ts';
import { scratch, sourceState } from '../graph/index.ts';
import { serveFrontend } from './serve-frontend.ts';

/** The frontend as a process at the other end. */
const processOf =
  (frontend: Frontend) =>
  async (process: ContainerProcess): Promise<number> => {
    const [stdin, stdout] = [new PassThrough(), new PassThrough()];
    const reading = (async () => {
      for await (const chunk of process.stdin ?? []) stdin.write(chunk);
      stdin.end();
    })();
    void reading;
    const writing = (async () => {
      for await (const chunk of stdout) await process.stdout(chunk as Uint8Array);
    })();
    const env = Object.fromEntries(
      (process.env ?? []).map((one) => [one.slice(0, one.indexOf('=')), one.slice(one.indexOf('=') + 1)]),
    );
    await serveFrontend(frontend, {
      stdin,
      stdout,
      env,
      log: (line) => void process.stderr(Buffer.from(`${line}\n`)),
    });
    stdout.end();
    await writing;
    return 0;
  };

const hostOf = (frontend: Frontend, o: FakeGateway = {}): FakeGatewayHost =>
  new FakeGatewayHost({ ...o, program: processOf(frontend) });

const dockerfile = sourceState({ type: 'local', name: 'dockerfile', include: ['App'] }, { name: 'read App' });

test('a frontend of ours behind the bridge plans as it does in process', async () => {
  const frontend: Frontend = async (request, host) => {
    const text = Buffer.from(await host.read(await host.solve(dockerfile), 'App')).toString();
    const entries = await host.list(await host.solve(dockerfile), '/');
    assert.deepEqual(
      entries.map(({ path }) => path),
      ['App'],
    );
    host.warn({ code: 'Old', message: 'that is old', place: { file: 'App', line: 1, text } });
    await host.task('look', async (say) => say('looked'));
    const results = new Map(
      request.platforms.map((platform) => {
        const content = `${text} for ${platform.architecture}`;
        const root = scratch.file([{ kind: 'mkfile', path: '/x', mode: 0o644, content, mtime: 0 }], [], { name: 'x' });
        const { os, architecture } = platform;
        const config = {
          os,
          architecture,
          config: { Cmd: [request.options['target'] ?? ''] },
          rootfs: { type: 'layers' as const, diff_ids: [] },
        };
        const layers = [{ kind: 'step' as const, before: scratch, after: root, dialect: 'oci' as const }];
        const predicate = Buffer.from(`{"about":"${architecture}"}`);
        const attestations = [{ predicateType: 'https://example.org/about', predicate }];
        return [`${os}/${architecture}`, { platform, layers, root, config, baseHistory: 0, attestations }] as const;
      }),
    );
    return { results, metadata: new Map([['my.key', Buffer.from('v')]]) };
  };
  const host = hostOf(frontend, { files: { App: 'app' } });
  const plan = await gatewayFrontend(requestFor({ target: 'run', platform: 'linux/amd64,linux/arm64' }), host);
  assert.deepEqual([...plan.results.keys()].sort(), ['linux/amd64', 'linux/arm64']);
  const arm = plan.results.get('linux/arm64');
  assert.deepEqual(arm?.config.config?.Cmd, ['run']);
  const op = arm.root.edge?.vertex.op;
  assert.ok(op?.kind === 'file' && op.actions[0]?.kind === 'mkfile');
  assert.equal(op.actions[0].content, 'app for arm64');
  assert.equal(arm.attestations[0]?.predicateType, 'https://example.org/about');
  assert.equal(Buffer.from(arm.attestations[0].predicate).toString(), '{"about":"arm64"}');
  assert.equal(Buffer.from(plan.metadata.get('my.key') ?? []).toString(), 'v');
  assert.equal(host.warnings[0]?.message, 'that is old');
  assert.deepEqual(host.warnings[0].place, { file: 'App', line: 1, endLine: 1, text: 'app' });
  assert.deepEqual(host.log, ['looked']);
});

test('what goes wrong is told with its place, what is not there by its kind', async () => {
  const place = { file: 'App', line: 2, text: 'oops' };
  const wrong = hostOf(async () => {
    throw new CodedError({ code: 'APP', kind: 'invalid', message: 'read "App": no such key', place });
  });
  await assert.rejects(gatewayFrontend(requestFor({}), wrong), (error: CodedError) => {
    assert.equal(error.message, 'read "App": no such key');
    assert.deepEqual(error.place, { ...place, endLine: 2 });
    return true;
  });
  let kind = '';
  const curious = hostOf(async (_request, host) => {
    try {
      await host.read(await host.solve(dockerfile), 'none');
    } catch (error) {
      kind = kindOf(error);
    }
    return { results: new Map(), metadata: new Map() };
  });
  await gatewayFrontend(requestFor({}), curious);
  assert.equal(kind, 'not_found');
});

test('a frontend calls another one, and builds on what that made', async () => {
  const inner: Frontend = async (request) => {
    assert.equal(request.options['target'], 'inner');
    const root = scratch.file([{ kind: 'mkdir', path: '/in', mode: 0o755, parents: false, mtime: 0 }], [], {
      name: 'in',
    });
    const [platform] = request.platforms;
    assert.ok(platform);
    const { os, architecture } = platform;
    const config = {
      os,
      architecture,
      config: { Env: ['A=b'] },
      rootfs: { type: 'layers' as const, diff_ids: [] },
    };
    const layers = [{ kind: 'step' as const, before: scratch, after: root, dialect: 'oci' as const }];
    const image = { platform, layers, root, config, baseHistory: 0, attestations: [] };
    return { results: new Map([['linux/amd64', image]]), metadata: new Map() };
  };
  const outer: Frontend = (request, host) =>
    host.call('dockerfile', { ...request, options: { ...request.options, target: 'inner' } });
  const host = hostOf(outer, { frontends: { dockerfile: inner } });
  const plan = await gatewayFrontend(requestFor({ cmdline: 'x' }), host);
  const image = plan.results.get('linux/amd64');
  assert.deepEqual(image?.config.config?.Env, ['A=b']);
  assert.equal(image.layers[0]?.kind, 'step', 'its layers are those that the other one planned');
});
