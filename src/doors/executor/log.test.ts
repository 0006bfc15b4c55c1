import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { Log } from './log.ts';
import { storyTeller } from './story.ts';

function lines(o: { level?: string; format?: string; timestamp?: boolean }, tell: (log: Log) => void): string[] {
  let now = Date.UTC(2026, 0, 2, 3, 4, 5, 678);
  const said: string[] = [];
  const log = new Log({
    clock: { now: () => now },
    write: (text) => said.push(text),
    level: o.level ?? 'info',
    format: o.format ?? 'color',
    timestamp: o.timestamp ?? false,
  });
  now += 12_345;
  tell(log);
  return said;
}

suite("lines as kaniko's", () => {
  test('in color, with the seconds since the start or with the time', () => {
    const message = 'Pushed registry.example/app@sha256:0123456789abcdef';
    assert.deepEqual(
      lines({}, (log) => log.info('short')),
      [`\x1b[36mINFO\x1b[0m[0012] ${'short'.padEnd(44)} \n`],
    );
    assert.deepEqual(
      lines({}, (log) => log.warn(message)),
      [`\x1b[33mWARN\x1b[0m[0012] ${message} \n`],
    );
    assert.deepEqual(
      lines({ timestamp: true }, (log) => log.error(message)),
      [`\x1b[31mERRO\x1b[0m[2026-01-02T03:04:18Z] ${message} \n`],
    );
  });

  test('as text and as JSON', () => {
    const time = '2026-01-02T03:04:18Z';
    const say = (log: Log): void => log.warn('say "x"');
    assert.deepEqual(lines({ format: 'text' }, say), [`time="${time}" level=warning msg="say \\"x\\""\n`]);
    assert.deepEqual(
      lines({ format: 'text' }, (log) => log.info('word')),
      [`time="${time}" level=info msg=word\n`],
    );
    assert.deepEqual(JSON.parse(lines({ format: 'json' }, say)[0] ?? ''), { level: 'warning', msg: 'say "x"', time });
  });

  test('of the levels that are wanted', () => {
    const all = (log: Log): void => {
      log.debug('d');
      log.info('i');
      log.warn('w');
      log.error('e');
    };
    assert.equal(lines({ level: 'trace' }, all).length, 4);
    assert.equal(lines({ level: 'warn' }, all).length, 2);
    assert.equal(lines({ level: 'ERROR' }, all).length, 1);
    assert.equal(lines({ level: 'panic' }, all).length, 0);
    assert.throws(() => lines({ level: 'loud' }, all), /use one of panic/);
    assert.throws(() => lines({ format: 'xml' }, all), /use one of text, color, json/);
  });

  test('of a build: instructions, hits, and output untouched', () => {
    const output: string[] = [];
    const said = lines({ format: 'text' }, (log) => {
      const tell = storyTeller({
        log,
        output: (chunk, stream) => output.push(`${stream}: ${Buffer.from(chunk).toString()}`),
      });
      for (const [id, name] of Object.entries({
        a: '[internal] load build definition',
        b: '[build 1/2] FROM debian:12',
        c: '[2/2] RUN make',
        d: '[3/3] COPY a b',
      }))
        tell({ kind: 'vertex', id, name, inputs: [] });
      for (const id of ['a', 'b', 'c']) tell({ kind: 'started', id, at: 0 });
      tell({ kind: 'log', id: 'c', at: 0, stream: 'stderr', chunk: Buffer.from('no end of line') });
      tell({ kind: 'cached', id: 'd', at: 0, verdict: { hit: true, by: 'content' } as never });
    });
    assert.deepEqual(
      said.map((line) => /msg=(.*)\n/.exec(line)?.[1]),
      ['"Retrieving image manifest debian:12"', '"RUN make"', '"Using caching version of cmd: COPY a b"'],
    );
    assert.deepEqual(output, ['stderr: no end of line']);
  });
});
