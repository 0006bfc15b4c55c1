import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import * as fc from 'fast-check';
import { hasCode, systemRandom, tempFolder } from '../../../base/index.ts';
import { annotationKey, annotationsOf } from './annotation.ts';
import { compressionOf } from './compression.ts';
import { csvFields, csvLine, csvPairs } from './csv.ts';
import { extraHost, networkMode } from './network.ts';
import { agentOf, secretOf } from './secret.ts';
import { booleanOf, bytesOf, durationOf, keyValues, oneOf } from './values.ts';

const refuses = (work: () => unknown, message: RegExp): void => {
  assert.throws(work, (error) => hasCode(error, 'USAGE') && message.test(error.message));
};

suite('csv', () => {
  test('fields as Go reads them', () => {
    assert.deepEqual(csvFields('a,b', 'x'), ['a', 'b']);
    assert.deepEqual(csvFields('"a,b",c', 'x'), ['a,b', 'c']);
    assert.deepEqual(csvFields('"a ""quoted"" word"', 'x'), ['a "quoted" word']);
    assert.deepEqual(csvFields('', 'x'), ['']);
    assert.deepEqual(csvFields('a,', 'x'), ['a', '']);
    for (const bad of ['"a', 'a"b', '"a"b']) refuses(() => csvFields(bad, 'x'), /a double quote is out of place/);
  });

  test('what is written is read back', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: 'grapheme' }), { minLength: 1 }), (fields) => {
        assert.deepEqual(csvFields(csvLine(fields), 'x'), fields);
      }),
    );
  });

  test('pairs', () => {
    assert.deepEqual(
      [...csvPairs('Type=oci,dest=a=b', 'x')],
      [
        ['type', 'oci'],
        ['dest', 'a=b'],
      ],
    );
    refuses(() => csvPairs('type', '-o'), /"type" is not of the form key=value/);
  });
});

suite('values', () => {
  test('names with values, alone, and taken away', () => {
    const env: Record<string, string | undefined> = { HOME: '/root' };
    const o = { what: '--build-arg', alone: (name: string) => env[name] };
    assert.deepEqual(
      [...keyValues(['A=1', 'B=', 'C=x=y', 'HOME', 'GONE'], o)],
      [
        ['A', '1'],
        ['B', ''],
        ['C', 'x=y'],
        ['HOME', '/root'],
      ],
    );
    assert.deepEqual([...keyValues(['A=1', 'A=2'], o)], [['A', '2']]);
    assert.deepEqual([...keyValues(['GONE=1', 'GONE'], o)], []);
    refuses(() => keyValues(['=x'], o), /the name is missing/);
    refuses(() => keyValues(['x'], { what: '--build-context' }), /there is no "="/);
  });

  test('sizes are powers of 1024, as Docker reads them', () => {
    for (const [text, bytes] of [
      ['1024', 1024],
      ['64m', 64 << 20],
      ['64MB', 64 << 20],
      ['64MiB', 64 << 20],
      ['1.5k', 1536],
      ['2 g', 2 ** 31],
      ['10b', 10],
    ] as const)
      assert.equal(bytesOf(text, 'x'), bytes, text);
    for (const bad of ['', 'm', '-1', '1x', '1,5g']) refuses(() => bytesOf(bad, '--shm-size'), /it is not a size/);
  });

  test('spans of time', () => {
    assert.equal(durationOf('1h30m', 'x'), 5_400_000);
    assert.equal(durationOf('7d', 'x'), 604_800_000);
    assert.equal(durationOf('250ms', 'x'), 250);
    for (const bad of ['', '7', 'd', '1h x']) refuses(() => durationOf(bad, 'x'), /it is not a span of time/);
  });

  test('booleans as Go has them, and words', () => {
    assert.equal(booleanOf('T', 'x'), true);
    assert.equal(booleanOf('0', 'x'), false);
    refuses(() => booleanOf('yes', 'x'), /neither true nor false/);
    assert.equal(oneOf(['a', 'b'], 'x')('b'), 'b');
    refuses(() => oneOf(['a', 'b'], 'x')('c'), /there is no such value/);
  });

  test('compressions', () => {
    assert.deepEqual(compressionOf('zstd:9'), { name: 'zstd', level: 9 });
    assert.deepEqual(compressionOf('uncompressed'), { name: 'none', level: undefined });
    refuses(() => compressionOf('estargz'), /there is no such compression/);
  });
});

suite('annotations', () => {
  const o = { platforms: [{ os: 'linux', architecture: 'amd64' }] };

  test('levels, several at once, platforms', () => {
    assert.deepEqual(annotationsOf('a=b', o), [{ level: 'manifest', key: 'a', value: 'b' }]);
    assert.deepEqual(annotationsOf('index,manifest:a=b:c', o), [
      { level: 'index', key: 'a', value: 'b:c' },
      { level: 'manifest', key: 'a', value: 'b:c' },
    ]);
    assert.deepEqual(annotationsOf('manifest[linux/amd64]:a=', o), [
      { level: 'manifest', key: 'a', value: '', platform: { os: 'linux', architecture: 'amd64' } },
    ]);
    assert.deepEqual(annotationsOf('manifest[linux/arm64]:a=b', o), []);
    refuses(() => annotationsOf('layer:a=b', o), /there is no level "layer"/);
    refuses(() => annotationsOf('a', o), /there is no key and value/);
    refuses(() => annotationsOf('index:=b', o), /the key is missing/);
  });

  test('as outputs name them', () => {
    assert.deepEqual(annotationKey('annotation.org.x', o), { level: 'manifest', key: 'org.x', wanted: true });
    assert.deepEqual(annotationKey('annotation-index.k', o), { level: 'index', key: 'k', wanted: true });
    assert.deepEqual(annotationKey('annotation-manifest-descriptor[linux/arm64].k', o), {
      level: 'manifest-descriptor',
      key: 'k',
      platform: { os: 'linux', architecture: 'arm64' },
      wanted: false,
    });
    assert.equal(annotationKey('name', o), undefined);
  });
});

suite('secrets and agents', () => {
  const o = { cwd: '/project', env: { TOKEN: 'x', SSH_AUTH_SOCK: '/run/agent' } };

  test('where secrets come from', () => {
    assert.deepEqual(secretOf('id=a,src=b/c', o), { id: 'a', source: { file: '/project/b/c' } });
    assert.deepEqual(secretOf('id=a,source=/c', o), { id: 'a', source: { file: '/c' } });
    assert.deepEqual(secretOf('id=a,env=TOKEN', o), { id: 'a', source: { env: 'TOKEN' } });
    assert.deepEqual(secretOf('id=TOKEN', o), { id: 'TOKEN', source: { env: 'TOKEN' } });
    assert.deepEqual(secretOf('id=TOKEN,type=file', o), { id: 'TOKEN', source: { file: '/project/TOKEN' } });
    assert.deepEqual(secretOf('id=a', o), { id: 'a', source: { file: '/project/a' } });
    assert.deepEqual(secretOf('src=keys/npm', o), { id: 'npm', source: { file: '/project/keys/npm' } });
    assert.deepEqual(secretOf('type=env,id=a,src=TOKEN', o), { id: 'a', source: { env: 'TOKEN' } });
    refuses(() => secretOf('id=', o), /the id is missing/);
    refuses(() => secretOf('id=a,type=vault', o), /"type=vault" is not known/);
    refuses(() => secretOf('id=a,mode=1', o), /"mode=1" is not known/);
  });

  test('agents by id: sockets and keys', async () => {
    using folder = tempFolder(tmpdir(), systemRandom);
    const socket = join(folder.path, 'agent');
    const server = createServer().listen(socket);
    await once(server, 'listening');
    const here = { cwd: folder.path, env: { SSH_AUTH_SOCK: socket } };
    const { privateKey } = generateKeyPairSync('ed25519');
    writeFileSync(join(folder.path, 'key'), privateKey.export({ type: 'pkcs8', format: 'pem' }));
    writeFileSync(join(folder.path, 'none'), 'nothing');
    const locked = { type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'x' } as const;
    writeFileSync(join(folder.path, 'locked'), privateKey.export(locked));
    try {
      assert.deepEqual(agentOf('default', here), { id: 'default', source: { socket } });
      assert.deepEqual(agentOf('github=agent', here), { id: 'github', source: { socket } });
      const { id, source } = agentOf('a=key,key', here);
      assert.equal(id, 'a');
      assert.equal('keys' in source && source.keys.length, 2);
      refuses(() => agentOf('default', { ...here, env: {} }), /SSH_AUTH_SOCK is not set/);
      refuses(() => agentOf('a=', here), /there is no path/);
      const faults = [
        ['a=agent,key', 'SSH_KEY_INVALID', /a socket beside others/],
        ['a=absent', 'SSH_KEY_MISSING', /absent/],
        ['a=none', 'SSH_KEY_INVALID', /it is no private key/],
        ['a=.', 'SSH_KEY_INVALID', /it is no private key/],
        ['a=locked', 'SSH_KEY_INVALID', /protected by a passphrase/],
      ] as const;
      for (const [text, code, message] of faults)
        assert.throws(
          () => agentOf(text, here),
          (error) => hasCode(error, code) && message.test(error.message),
          text,
        );
    } finally {
      server.close();
    }
  });
});

suite('network', () => {
  test('hosts', () => {
    assert.equal(extraHost('db:10.0.0.1'), 'db=10.0.0.1');
    assert.equal(extraHost('db=[::1]'), 'db=::1');
    assert.equal(extraHost('db:::1'), 'db=::1');
    refuses(() => extraHost('db'), /there is no host and address/);
    refuses(() => extraHost('db=host-gateway'), /"host-gateway" is not an address/);
  });

  test('modes, and the right that goes with asking for the host', () => {
    assert.deepEqual(networkMode('default'), { mode: undefined, allow: [] });
    assert.deepEqual(networkMode('host'), { mode: 'host', allow: ['network.host'] });
    assert.deepEqual(networkMode('none'), { mode: 'none', allow: [] });
    refuses(() => networkMode('bridge'), /there is no such network/);
  });
});
