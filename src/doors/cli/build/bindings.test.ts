import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { bindingsOf, machineTrust } from './bindings.ts';

suite('service bindings', () => {
  const folder = mkdtempSync(join(tmpdir(), 'strake-bindings-'));
  test.after(() => rmSync(folder, { recursive: true, force: true }));

  test('a folder is one, by its name', () => {
    mkdirSync(join(folder, 'npm/more'), { recursive: true });
    writeFileSync(join(folder, 'npm/type'), 'npmrc');
    writeFileSync(join(folder, 'npm/.npmrc'), '');
    assert.deepEqual(
      bindingsOf(['npm'], folder),
      new Map([
        [
          'npm',
          new Map([
            ['.npmrc', join(folder, 'npm/.npmrc')],
            ['type', join(folder, 'npm/type')],
          ]),
        ],
      ]),
    );
  });

  test('a folder without a type is none, nor is what is not there', () => {
    mkdirSync(join(folder, 'none'));
    assert.throws(() => bindingsOf(['none'], folder), /no file "type"/);
    assert.throws(() => bindingsOf(['nowhere'], folder), /read --binding "nowhere"/);
  });

  test('what this machine trusts', () => {
    const [system, extra, large] = ['system.crt', 'extra.crt', 'large.crt'].map((name) => join(folder, name));
    for (const path of [system!, extra!]) writeFileSync(path, 'certificate');
    writeFileSync(large!, Buffer.alloc(600 << 10));
    const trusted = (env: Record<string, string>): [string, string][] => [
      ...(machineTrust(env).get('strake-authorities') ?? []),
    ];
    const both = new Map(trusted({ SSL_CERT_FILE: system!, NODE_EXTRA_CA_CERTS: extra! }));
    assert.equal(readFileSync(both.get('type') ?? '', 'utf8'), 'ca-certificates\n');
    assert.deepEqual([both.get('system.pem'), both.get('extra.pem')], [system, extra]);
    assert.deepEqual(
      trusted({ SSL_CERT_FILE: system!, NODE_EXTRA_CA_CERTS: join(folder, 'nowhere') }).map(([name]) => name),
      ['system.pem', 'type'],
    );
    assert.deepEqual(trusted({ SSL_CERT_FILE: large! }), [], 'more than a secret may have');
    assert.deepEqual(trusted({ SSL_CERT_FILE: folder }), []);
  });
});
