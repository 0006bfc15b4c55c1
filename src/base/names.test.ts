import assert from 'node:assert/strict';
import { test } from 'node:test';
import { lookupPlainly, parseNames, questionsFor } from './names.ts';

test('hosts and resolv.conf are read as their manual pages say', () => {
  const files = parseNames(
    '127.0.0.1\tlocalhost Box # here\n::1 localhost\nnonsense here\n10.0.0.1 a a.example\n',
    '; comment\nnameserver 10.96.0.10\nnameserver nonsense\nsearch x.svc svc\noptions edns0 ndots:5\n',
  );
  assert.deepEqual(
    [...files.hosts],
    [
      ['localhost', ['127.0.0.1', '::1']],
      ['box', ['127.0.0.1']],
      ['a', ['10.0.0.1']],
      ['a.example', ['10.0.0.1']],
    ],
  );
  assert.deepEqual(files.servers, ['10.96.0.10']);
  assert.deepEqual([files.search, files.ndots], [['x.svc', 'svc'], 5]);
  assert.deepEqual(parseNames('', '').ndots, 1);
});

test('short names are tried with the search list first, long ones and rooted ones as they are', () => {
  const o = { search: ['a', 'b'], ndots: 2 };
  assert.deepEqual(questionsFor('registry', o), ['registry.a', 'registry.b', 'registry']);
  assert.deepEqual(questionsFor('registry.x.y', o), ['registry.x.y', 'registry.x.y.a', 'registry.x.y.b']);
  assert.deepEqual(questionsFor('registry.', o), ['registry']);
});

test('addresses are themselves, of the family that is asked for', async () => {
  const ask = (name: string, options: object): Promise<unknown> =>
    new Promise((resolve) => lookupPlainly(name, options, (error, ...found) => resolve(error?.code ?? found)));
  assert.deepEqual(await ask('10.1.2.3', {}), ['10.1.2.3', 4]);
  assert.deepEqual(await ask('::1', { all: true }), [[{ address: '::1', family: 6 }]]);
  assert.equal(await ask('10.1.2.3', { family: 6 }), 'ENOTFOUND');
});
