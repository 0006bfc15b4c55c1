import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RunConfig } from '../../image/index.ts';
import { history, imageConfig, planText } from './fake-host.suite.ts';
import { parsePorts } from './ports.ts';

/** The config and the new history after `FROM debian` and these lines. */
async function after(
  text: string,
  o: Parameters<typeof planText>[1] = {},
): Promise<{ readonly config: RunConfig; readonly history: readonly string[] }> {
  const planned = await planText(`FROM debian\n${text}`, o);
  return { config: planned.image.config.config ?? {}, history: history(planned) };
}

test('scratch starts with PATH and the root folder', async () => {
  const { image } = await planText('FROM scratch');
  assert.deepEqual(image.config, {
    architecture: 'amd64',
    os: 'linux',
    config: { Env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'], WorkingDir: '/' },
    rootfs: { type: 'layers', diff_ids: [] },
  });
  assert.ok(image.root.isScratch);
  assert.deepEqual(image.layers, []);
});

test('a base hands its config on, but for created and what is not known', async () => {
  const base = imageConfig(
    { User: 'u', StopSignal: 'SIGINT', Labels: { a: '1' }, Shell: ['/bin/zsh'], Domainname: 'x', Env: ['A=1'] },
    { author: 'me', docker_version: '1' },
  );
  const { image } = await planText('FROM b\nLABEL c=2', { world: { images: { 'docker.io/library/b:latest': base } } });
  assert.equal(image.config.created, undefined);
  assert.equal(image.config.author, 'me');
  assert.ok(!('docker_version' in image.config));
  assert.deepEqual(image.config.config, {
    User: 'u',
    Env: ['A=1', 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'],
    Cmd: ['bash'],
    Labels: { a: '1', c: '2' },
    StopSignal: 'SIGINT',
    Shell: ['/bin/zsh'],
  });
  assert.equal(image.baseHistory, 2);
  assert.equal(image.config.history?.[0]?.created, '2020-01-01T00:00:00Z');
});

/** Instructions; their new history; what they change in the config. */
const CASES: readonly (readonly [string, readonly string[], Partial<RunConfig>])[] = [
  ['ENV a=1 b="x y"', ['ENV a=1 b=x y'], { Env: ['PATH=/usr/bin:/bin', 'a=1', 'b=x y'] }],
  ['ENV a=1\nENV b=2 a=3', ['ENV a=1', 'ENV b=2 a=3'], { Env: ['PATH=/usr/bin:/bin', 'a=3', 'b=2'] }],
  ['ENV a the  rest', ['ENV a=the  rest'], { Env: ['PATH=/usr/bin:/bin', 'a=the  rest'] }],
  ['ENV PATH=/x:$PATH', ['ENV PATH=/x:/usr/bin:/bin'], { Env: ['PATH=/x:/usr/bin:/bin'] }],
  ['LABEL a=\'$x\' "b c"=d', ['LABEL a=$x b c=d'], { Labels: { a: '$x', 'b c': 'd' } }],
  ['ARG a b=1', ['ARG a b=1'], {}],
  ['CMD ["a", "b\\"c"]', ['CMD ["a" "b\\"c"]'], { Cmd: ['a', 'b"c'], ArgsEscaped: true }],
  ['CMD a b', ['CMD ["/bin/sh" "-c" "a b"]'], { Cmd: ['/bin/sh', '-c', 'a b'], ArgsEscaped: true }],
  ['CMD []', ['CMD []'], { Cmd: undefined, ArgsEscaped: true }],
  ['ENTRYPOINT ["a"]', ['ENTRYPOINT ["a"]'], { Entrypoint: ['a'], Cmd: undefined }],
  ['CMD ["c"]\nENTRYPOINT ["a"]', ['CMD ["c"]', 'ENTRYPOINT ["a"]'], { Entrypoint: ['a'], Cmd: ['c'] }],
  ['ENTRYPOINT a', ['ENTRYPOINT ["/bin/sh" "-c" "a"]'], { Entrypoint: ['/bin/sh', '-c', 'a'] }],
  [
    'SHELL ["/bin/bash", "-c"]\nCMD a',
    ['SHELL [/bin/bash -c]', 'CMD ["/bin/bash" "-c" "a"]'],
    { Shell: ['/bin/bash', '-c'], Cmd: ['/bin/bash', '-c', 'a'] },
  ],
  ['CMD ["a"]\nCMD ["b"]', ['CMD ["a"]', 'CMD ["b"]'], { Cmd: ['b'] }],
  ['CMD $HOME', ['CMD ["/bin/sh" "-c" "$HOME"]'], {}],
  [
    'EXPOSE 80 443/UDP 8080-8081',
    ['EXPOSE [443/udp 80/tcp 8080/tcp 8081/tcp]'],
    { ExposedPorts: { '443/udp': {}, '80/tcp': {}, '8080/tcp': {}, '8081/tcp': {} } },
  ],
  [
    'ENV p="1 2/sctp"\nEXPOSE $p',
    ['ENV p=1 2/sctp', 'EXPOSE [1/tcp 2/sctp]'],
    { ExposedPorts: { '1/tcp': {}, '2/sctp': {} } },
  ],
  ['VOLUME /b /a', ['VOLUME [/b /a]'], { Volumes: { '/a': {}, '/b': {} } }],
  ['VOLUME ["/x y"]', ['VOLUME [/x y]'], { Volumes: { '/x y': {} } }],
  ['ENV u=app\nUSER $u:grp', ['ENV u=app', 'USER app:grp'], { User: 'app:grp' }],
  ['STOPSIGNAL sigterm', ['STOPSIGNAL sigterm'], { StopSignal: 'sigterm' }],
  ['STOPSIGNAL RTMIN+3', ['STOPSIGNAL RTMIN+3'], { StopSignal: 'RTMIN+3' }],
  ['STOPSIGNAL 9', ['STOPSIGNAL 9'], { StopSignal: '9' }],
  ['WORKDIR a\nWORKDIR ../b', ['WORKDIR /a', 'WORKDIR /b'], { WorkingDir: '/b' }],
  [
    'HEALTHCHECK --interval=1m30s --retries=2 CMD a b',
    [String.raw`HEALTHCHECK &{["CMD-SHELL" "a b"] "1m30s" "0s" "0s" "0s" '\x02'}`],
    {},
  ],
  [
    'HEALTHCHECK NONE',
    [String.raw`HEALTHCHECK &{["NONE"] "0s" "0s" "0s" "0s" '\x00'}`],
    { Healthcheck: { Test: ['NONE'] } },
  ],
  ['MAINTAINER me <a@b>', ['MAINTAINER me <a@b>'], {}],
  ['ONBUILD RUN a\nONBUILD COPY b /c', [], { OnBuild: ['RUN a', 'COPY b /c'] }],
  ['RUN a', ['RUN /bin/sh -c a # buildkit'], {}],
  ['RUN ["a", "b c"]', ['RUN a b c # buildkit'], {}],
];

test('each instruction: its history and its part of the config', async () => {
  for (const [text, wanted, part] of CASES) {
    const found = await after(text);
    assert.deepEqual(found.history, wanted, text);
    for (const [key, value] of Object.entries(part))
      assert.deepEqual(found.config[key as keyof RunConfig], value, `${text}: ${key}`);
  }
});

test('history entries have the comment, and empty_layer where they make none', async () => {
  const { image } = await planText('FROM debian\nENV a=1\nRUN b');
  assert.deepEqual(image.config.history?.slice(2), [
    { created_by: 'ENV a=1', comment: 'buildkit.dockerfile.v0', empty_layer: true },
    { created_by: 'RUN /bin/sh -c b # buildkit', comment: 'buildkit.dockerfile.v0' },
  ]);
});

test('MAINTAINER is the author', async () => {
  assert.equal((await planText('FROM debian\nMAINTAINER me')).image.config.author, 'me');
});

test('labels of the command line come last', async () => {
  const { config, history: entries } = await after('LABEL a=1 b=2', { options: { 'label:b': '3', 'label:c': '' } });
  assert.deepEqual(config.Labels, { a: '1', b: '3', c: '' });
  assert.deepEqual(entries, ['LABEL a=1 b=2']);
});

test('ports: ranges, protocols, mappings', () => {
  assert.deepEqual(parsePorts('8000-8002/udp').ports, ['8000/udp', '8001/udp', '8002/udp']);
  assert.partialDeepStrictEqual(parsePorts('127.0.0.1:8080:80'), { ports: ['80/tcp'], mapping: true });
  assert.partialDeepStrictEqual(parsePorts('[::1]:8080:80/TCP'), { ports: ['80/tcp'], upperCaseProtocol: true });
  assert.deepEqual(parsePorts('9000-9001:80').ports, ['80/tcp']);
  assert.deepEqual(parsePorts('80/').ports, ['80/tcp']);
  const wrong: readonly (readonly [string, RegExp])[] = [
    ['', /no port specified/],
    ['/tcp', /no port specified/],
    ['80/http', /invalid proto: http/],
    ['70000', /invalid containerPort: 70000/],
    ['a', /invalid containerPort: a/],
    ['9-8', /invalid containerPort: 9-8/],
    ['x:80', /invalid hostPort: x/],
    ['1.2.3:80:80', /invalid IP address: 1.2.3/],
    ['1-3:80-81', /invalid ranges specified/],
  ];
  for (const [text, words] of wrong)
    assert.throws(() => parsePorts(text), { code: 'DOCKERFILE_INSTRUCTION', message: words }, text);
});

test('signals are those of Linux', async () => {
  for (const signal of ['SIGFOO', '0', 'TERM+1', ''])
    await assert.rejects(
      after(`STOPSIGNAL ${signal || '$none'}`),
      { code: 'DOCKERFILE_INSTRUCTION', message: /invalid signal/ },
      signal,
    );
});

test('an empty volume is refused', async () => {
  await assert.rejects(after('VOLUME ["$none"]'), { code: 'DOCKERFILE_INSTRUCTION' });
});

test('SOURCE_DATE_EPOCH: from the request, a build argument, or a global ARG', async () => {
  const epoch = async (
    text: string,
    o: Parameters<typeof planText>[1],
  ): Promise<readonly [string | undefined, string | undefined]> => {
    const { plan, image } = await planText(text, o);
    return [
      Buffer.from(plan.metadata.get('source.date.epoch') ?? []).toString() || undefined,
      image.config.config?.Env?.at(1),
    ];
  };
  const text = 'FROM debian\nARG SOURCE_DATE_EPOCH\nENV A=$SOURCE_DATE_EPOCH';
  assert.deepEqual(await epoch(text, { epoch: 5 }), ['5', 'A=5']);
  assert.deepEqual(await epoch(text, { epoch: 5, options: { 'build-arg:SOURCE_DATE_EPOCH': '6' } }), ['6', 'A=6']);
  assert.deepEqual(await epoch(`ARG SOURCE_DATE_EPOCH=7\n${text}`, {}), ['7', 'A=7']);
  assert.deepEqual(await epoch(text, { options: { 'build-arg:SOURCE_DATE_EPOCH': 'context' } }), [undefined, 'A=']);
  assert.deepEqual(await epoch(text, {}), [undefined, 'A=']);
  await assert.rejects(epoch(text, { options: { 'build-arg:SOURCE_DATE_EPOCH': 'soon' } }), {
    code: 'DOCKERFILE_OPTION',
  });
});
