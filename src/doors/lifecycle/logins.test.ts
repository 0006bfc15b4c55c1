import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { hasCode, systemRandom } from '../../base/index.ts';
import { parseRegistryAuth, phaseLogins } from './logins.ts';

suite('CNB_REGISTRY_AUTH', () => {
  test('names registries and what requests to them say', () => {
    const basic = Buffer.from('ann:a:b').toString('base64');
    const found = parseRegistryAuth(
      JSON.stringify({ 'r:5000': `Basic ${basic}`, 'https://index.docker.io/v1/': 'Bearer t', z: 'X-Identity i' }),
    );
    assert.deepEqual(Object.fromEntries(found), {
      'r:5000': { kind: 'password', username: 'ann', secret: 'a:b' },
      'docker.io': { kind: 'bearer', secret: 't' },
      z: { kind: 'identity-token', secret: 'i' },
    });
    assert.equal(parseRegistryAuth('').size, 0);
  });

  test('what it is not is refused, without its text', () => {
    for (const text of [
      '{"r": "Basic hunter2"}',
      '{"r": "Digest hunter2"}',
      '{"r": 1, "x": "hunter2"}',
      '["hunter2"]',
      'hunter2',
    ])
      assert.throws(
        () => parseRegistryAuth(text),
        (error: Error) => hasCode(error, 'LIFECYCLE_FLAG_INVALID') && !error.message.includes('hunter2'),
      );
  });
});

suite('logins of a phase', () => {
  test('the variable, then the file, then the cloud, each once', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'strake-logins-'));
    try {
      const basic = (text: string): string => Buffer.from(text).toString('base64');
      const file = { auths: { 'r.example': { auth: basic('file:1') }, 'both.example': { auth: basic('file:2') } } };
      writeFileSync(join(folder, 'config.json'), JSON.stringify(file));
      const asked: string[] = [];
      const warnings: string[] = [];
      const logins = (env: Record<string, string> = {}): ReturnType<typeof phaseLogins> =>
        phaseLogins({
          env: {
            DOCKER_CONFIG: folder,
            CNB_REGISTRY_AUTH: JSON.stringify({ 'both.example': `Basic ${basic('variable:3')}` }),
            ...env,
          },
          home: folder,
          random: systemRandom,
          warn: (message) => warnings.push(message),
          cloud: async (way, { registry }) => {
            asked.push(`${way} ${registry}`);
            if (way === 'acr') throw new Error('no identity');
            return { kind: 'password', username: 'AWS', secret: 'x' };
          },
        });
      const lookup = logins();
      const user = async (registry: string, from = lookup): Promise<string | undefined> =>
        (await from({ registry, repository: 'a' }))?.username;
      const amazon = '123456789012.dkr.ecr.eu-west-1.amazonaws.com';
      assert.equal(await user('both.example'), 'variable');
      assert.equal(await user('r.example'), 'file');
      assert.equal(await user('other.example'), undefined);
      assert.equal(await user(amazon), 'AWS');
      assert.equal(await user(amazon), 'AWS');
      assert.equal(await user('mine.azurecr.io'), undefined);
      assert.deepEqual(asked, [`ecr ${amazon}`, 'acr mine.azurecr.io']);
      assert.deepEqual(warnings, ['no login for "mine.azurecr.io": no identity']);
      assert.equal(await user(amazon, logins({ CNB_REGISTRY_AUTH_KEYCHAIN_SKIP_AMAZON: 'true' })), undefined);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
