import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { gitAuth } from './git-auth.ts';
import { remoteOf } from './remote.ts';

suite('logins of repositories', () => {
  const configFor = async (url: string, secrets: Readonly<Record<string, string>>): Promise<readonly string[]> => {
    const secret = async (id: string): Promise<Uint8Array | undefined> =>
      secrets[id] === undefined ? undefined : Buffer.from(secrets[id]);
    return (await gitAuth(remoteOf(url), { secret }, {})).config.map(([name, value]) => `${name}=${value}`);
  };
  const basic = (login: string): string => `Authorization: basic ${Buffer.from(login).toString('base64')}`;

  test('by host before all hosts, a header before a token, a secret before the address', async () => {
    const url = 'https://me:pw@h.example:8443/a.git';
    const name = 'http.https://h.example:8443/a.git.extraheader';
    for (const [secrets, value] of [
      [{}, basic('me:pw')],
      [{ GIT_AUTH_TOKEN: 't' }, basic('x-access-token:t')],
      [{ GIT_AUTH_TOKEN: 't', GIT_AUTH_HEADER: 'Bearer b\n' }, 'Authorization: Bearer b'],
      [{ 'GIT_AUTH_TOKEN.h.example:8443': 'u', GIT_AUTH_HEADER: 'no' }, basic('x-access-token:u')],
      [{ 'GIT_AUTH_HEADER.h.example:8443': 'H', 'GIT_AUTH_TOKEN.h.example:8443': 'u' }, 'Authorization: H'],
      [{ 'GIT_AUTH_TOKEN.h.example': 'other port' }, basic('me:pw')],
    ] as const)
      assert.deepEqual(await configFor(url, secrets), [`${name}=${value}`]);
  });

  test('secrets of other names, or none', async () => {
    const asked: string[] = [];
    const secret = async (id: string): Promise<Uint8Array | undefined> => {
      asked.push(id);
      return id === 'OWN' ? Buffer.from('t') : undefined;
    };
    const remote = remoteOf('https://h.example/a.git');
    const { secrets } = await gitAuth(remote, { secret }, { auth: { token: 'OWN' } });
    assert.ok(secrets.includes('t'));
    assert.deepEqual(asked.splice(0), ['OWN.h.example', 'OWN']);
    assert.deepEqual(await gitAuth(remote, { secret }, { auth: {} }), { config: [], secrets: [] });
    assert.deepEqual(asked, []);
  });

  test('a token for github.com is for all of it; ssh and git have none', async () => {
    const [line = ''] = await configFor('https://github.com/a/b.git', { GIT_AUTH_TOKEN: 't' });
    assert.match(line, /^http\.https:\/\/github\.com\/\.extraheader=/);
    for (const url of ['git@h.example:a/b', 'ssh://git@h.example/a', 'git://h.example/a', 'file:///a'])
      assert.deepEqual(await configFor(url, { GIT_AUTH_TOKEN: 't' }), []);
  });

  test('an address is shown and asked without what is secret in it', () => {
    const { url, shown, userinfo, isSsh } = remoteOf('https://me:p%40w@h.example/a.git');
    assert.deepEqual(
      [url, shown, userinfo, isSsh],
      ['https://h.example/a.git', 'https://h.example/a.git', 'me:p@w', false],
    );
    assert.deepEqual(
      [remoteOf('git@h:a').isSsh, remoteOf('ssh://h/a').isSsh, remoteOf('git://h/a').isSsh],
      [true, true, false],
    );
  });
});
