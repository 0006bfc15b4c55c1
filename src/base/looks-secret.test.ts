import assert from 'node:assert/strict';
import { test } from 'node:test';
import { looksSecret, withoutSecrets } from './looks-secret.ts';

test('names and values that are to be taken for secrets', () => {
  for (const [name, value] of [
    ['NPM_TOKEN', 'x'],
    ['githubToken', 'x'],
    ['DB_PASSWORD', ''],
    ['PASSWD', 'x'],
    ['AWS_SECRET_ACCESS_KEY', 'x'],
    ['API_KEY', 'x'],
    ['MY_KEY', 'x'],
    ['DB_PASS', 'x'],
    ['BASIC_AUTH', 'x'],
    ['INDEX_URL', 'https://user:hunter2@pypi.example/simple'],
    ['X', 'ghp_0123456789abcdef'],
    ['X', '-----BEGIN RSA PRIVATE KEY-----\nMII'],
    ['X', 'eyJhbGciOiJIUzI1NiJ9.e30.x'],
  ] as const)
    assert.equal(looksSecret(name, value), true, `${name}=${value}`);
  for (const [name, value] of [
    ['VERSION', '1.2.3'],
    ['PATH', '/usr/bin:/bin'],
    ['AUTHOR', 'me'],
    ['KEYBOARD', 'us'],
    ['INDEX_URL', 'https://pypi.example/simple'],
    ['COMPASS', 'north'],
    ['MONKEY', 'yes'],
    ['GIT_REPO', 'git@git.example:a/b.git'],
  ] as const)
    assert.equal(looksSecret(name, value), false, `${name}=${value}`);
});

test('texts lose what looks like a secret, and nothing else', () => {
  for (const [text, expected] of [
    ['RUN curl https://me:hunter2@host.example/x', 'RUN curl https://…@host.example/x'],
    ['RUN API_KEY=hunter2 make', 'RUN API_KEY=… make'],
    ['RUN PASSWORD="hunter 2" make', 'RUN PASSWORD=… make'],
    ['RUN login --password hunter2 --user me', 'RUN login --password … --user me'],
    ["RUN curl -H 'Authorization: Bearer hunter2' x", "RUN curl -H 'Authorization: …' x"],
    ['RUN use ghp_0123456789abcdef now', 'RUN use … now'],
    ['RUN TOKEN=$TOKEN make', 'RUN TOKEN=$TOKEN make'],
    ['RUN --mount=type=secret,id=token make', 'RUN --mount=type=secret,id=token make'],
    ['COPY --from=build /out:x /y', 'COPY --from=build /out:x /y'],
    ['RUN VERSION=1.2 make', 'RUN VERSION=1.2 make'],
  ] as const)
    assert.equal(withoutSecrets(text), expected);
});

test('a very long text is gone through in a moment', () => {
  for (const part of ['a', 'a.', 'a-', '--a', 'ab: ', 'a=', 'http://a'])
    assert.ok(withoutSecrets(part.repeat(20_000)).length > 0);
});
