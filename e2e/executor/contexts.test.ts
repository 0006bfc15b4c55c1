import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { folderWith } from '../cli/context.ts';
import { leftovers } from '../lib/leftovers.ts';
import { emptyStore, type TestStore } from '../lib/store.ts';
import { strake, type StrakeResult } from '../lib/strake.ts';
import { lacking } from '../registry/world.ts';
import { certificates, gcs, gitFiles, proxyTo, s3, tlsFiles, type AwsKeys } from './stand-ins.ts';

const FILES = {
  Dockerfile: 'FROM scratch\nCOPY hello /hello\n',
  hello: 'hello\n',
  'sub/Dockerfile': 'FROM scratch\nCOPY here /here\n',
  'sub/here': 'here\n',
};
const run = (command: string, ...args: string[]): string =>
  execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });

/** `executor` on a context; gives what it said and the files of the image. */
async function build(
  store: TestStore,
  context: string,
  o: { args?: readonly string[]; env?: Record<string, string>; input?: Uint8Array } = {},
): Promise<StrakeResult & { readonly files: Readonly<Record<string, string>> }> {
  const layout = join(store.work, `layout-${randomBytes(4).toString('hex')}`);
  const result = await strake(
    [
      'executor',
      `--context=${context}`,
      '--no-push',
      `--oci-layout-path=${layout}`,
      '--compression=gzip',
      '--log-format=text',
      ...(o.args ?? []),
    ],
    { root: store.root, cwd: store.work, env: { AWS_EC2_METADATA_DISABLED: 'true', ...o.env }, input: o.input },
  );
  const files: Record<string, string> = {};
  if (result.code === 0) {
    const blobs = join(layout, 'blobs/sha256');
    for (const name of readdirSync(blobs)) {
      if (readFileSync(join(blobs, name)).readUInt16BE(0) !== 0x1f8b) continue;
      for (const path of run('tar', 'tzf', join(blobs, name)).trim().split('\n'))
        if (!path.endsWith('/')) files[path] = run('tar', 'xzOf', join(blobs, name), path);
    }
  }
  assert.deepEqual(leftovers(store.root), []);
  return { ...result, files };
}

async function brings(store: TestStore, context: string, o: Parameters<typeof build>[2] = {}): Promise<StrakeResult> {
  const result = await build(store, context, o);
  assert.equal(result.code, 0, result.stderr);
  assert.deepEqual(result.files, { hello: 'hello\n' });
  return result;
}

function archive(store: TestStore): Buffer {
  const context = folderWith(join(store.work, 'context'), FILES);
  return execFileSync('tar', ['-C', context, '-cz', '.']);
}

suite('contexts of executor', () => {
  test('a folder, with and without a prefix; a folder within it; a Dockerfile elsewhere', async () => {
    using store = emptyStore();
    const folder = folderWith(join(store.work, 'context'), FILES);
    await brings(store, folder);
    await brings(store, 'context');
    await brings(store, `dir://${folder}`);
    const sub = await build(store, `dir://${folder}`, { args: ['--context-sub-path=sub'] });
    assert.deepEqual(sub.files, { here: 'here\n' });
    writeFileSync(join(store.work, 'Other'), 'FROM scratch\nCOPY sub/here /there\n');
    const other = await build(store, folder, { args: ['-f', 'Other'] });
    assert.deepEqual(other.files, { there: 'here\n' }, 'a path from where we are comes before one in the context');
    const inside = await build(store, folder, { args: ['-f', 'sub/Dockerfile'] });
    assert.match(inside.stderr, /"\/here"|"here"|COPY here/);
    assert.equal(inside.code, 1);
    for (const [context, args, message] of [
      ['nowhere', [], /error resolving source context: read the build context "nowhere": no such folder/],
      [join(folder, 'hello'), [], /it is a file/],
      ['ftp://x/y', [], /unknown prefix "ftp:\/\/"/],
      [`dir://${folder}`, ['--context-sub-path=gone'], /it has no folder "gone"/],
      [`dir://${folder}`, ['--context-sub-path=..'], /leads out of it/],
      [folder, ['-f', 'Gone'], /find the Dockerfile "Gone"/],
    ] as const) {
      const failed = await build(store, context, { args });
      assert.equal(failed.code, 1, context);
      assert.match(failed.stderr, message);
    }
  });

  test('an archive from a file and from standard input, plain and compressed', async () => {
    using store = emptyStore();
    const content = archive(store);
    const path = join(store.work, 'c.tar.gz');
    writeFileSync(path, content);
    await brings(store, `tar://${path}`);
    await brings(store, 'tar://stdin', { input: content });
    const plain = execFileSync('tar', ['-C', join(store.work, 'context'), '-c', '.']);
    await brings(store, 'tar://stdin', { input: plain });
    const sub = await build(store, `tar://${path}`, { args: ['--context-sub-path', 'sub'] });
    assert.deepEqual(sub.files, { here: 'here\n' });
    for (const [input, message] of [
      [Buffer.from(''), /it is no tar archive/],
      [Buffer.from('FROM scratch\n'), /it is no tar archive/],
      [content.subarray(0, content.length - 30), /read|archive|unexpected|end/],
    ] as const) {
      const failed = await build(store, 'tar://stdin', { input });
      assert.equal(failed.code, 1);
      assert.match(failed.stderr, message);
    }
    assert.match((await build(store, 'tar:///nowhere.tar.gz')).stderr, /no such file/);
  });

  test('a git repository: branch, tag, commit, a login', async () => {
    using store = emptyStore();
    const work = folderWith(join(store.work, 'repository'), FILES);
    const git = (...args: string[]): string =>
      run('git', '-C', work, '-c', 'user.name=t', '-c', 'user.email=t@t.example', ...args);
    git('init', '-q', '-b', 'main');
    git('add', '.');
    git('commit', '-q', '-m', 'one');
    git('tag', 'v1');
    const commit = git('rev-parse', 'HEAD').trim();
    writeFileSync(join(work, 'hello'), 'changed\n');
    git('commit', '-q', '-a', '-m', 'two');
    mkdirSync(join(store.work, 'served'));
    run('git', 'clone', '-q', '--bare', work, join(store.work, 'served/app.git'));
    run('git', '-C', join(store.work, 'served/app.git'), 'update-server-info');
    const env = { GIT_PULL_METHOD: 'http' };
    {
      await using server = await gitFiles(join(store.work, 'served'));
      const at = `git://${server.host}/app.git`;
      const head = await build(store, at, { env });
      assert.deepEqual(head.files, { hello: 'changed\n' }, head.stderr);
      await brings(store, `${at}#refs/tags/v1`, { env });
      await brings(store, `${at}#${commit}`, { env });
      await brings(store, `${at}#refs/heads/main#${commit}`, { env });
      await brings(store, at, { env, args: ['--git', 'branch=v1', '--git', 'single-branch=true'] });
      const gone = await build(store, `${at}#refs/heads/gone`, { env });
      assert.equal(gone.code, 1);
      assert.match(gone.stderr, /error resolving source context: clone ".*" at "refs\/heads\/gone": .*gone/);
      assert.match((await build(store, `${at}#--upload-pack=x`, { env })).stderr, /cannot begin with "-"/);
    }
    await using server = await gitFiles(join(store.work, 'served'), { login: 'anne:secret-word' });
    const at = `git://${server.host}/app.git#refs/tags/v1`;
    await brings(store, at, { env: { ...env, GIT_USERNAME: 'anne', GIT_PASSWORD: 'secret-word' } });
    const denied = await build(store, at, { env: { ...env, GIT_TOKEN: 'secret-word' } });
    assert.equal(denied.code, 1);
    assert.doesNotMatch(denied.stderr, /secret-word/);
    const inUrl = await build(store, `git://anne:wrong-word@${server.host}/app.git`, { env });
    assert.equal(inUrl.code, 1);
    assert.doesNotMatch(inUrl.stderr, /wrong-word/);
  });

  test('S3: every way to keys, signatures checked, a download that breaks off', async () => {
    using store = emptyStore();
    const content = archive(store);
    const objects = { '/builds/a b/context+1.tar.gz': content, '/builds/context.tar.gz': content };
    const place = 's3://builds/a%20b/context+1.tar.gz';
    const keys: AwsKeys = { id: 'AKIDTEST', secret: 'secret/word+1' };
    const endpoint = (url: string): Record<string, string> => ({
      S3_ENDPOINT: url,
      S3_FORCE_PATH_STYLE: 'true',
      AWS_REGION: 'eu-west-1',
      HOME: store.work,
    });
    {
      await using server = await s3(objects, { keys, breakAfter: 100 });
      const env = { ...endpoint(server.url), AWS_ACCESS_KEY_ID: keys.id, AWS_SECRET_ACCESS_KEY: keys.secret };
      await brings(store, place, { env });
      await brings(store, 's3://builds', { env });
      const wrong = await build(store, place, { env: { ...env, AWS_SECRET_ACCESS_KEY: 'other-word' } });
      assert.equal(wrong.code, 1);
      assert.match(wrong.stderr, /HTTP status 403 \(The request signature we calculated does not match\)/);
      assert.doesNotMatch(wrong.stderr, /other-word/);
      assert.match(
        (await build(store, 's3://builds/gone', { env })).stderr,
        /HTTP status 404 \(The specified key does not exist\.\)/,
      );
      folderWith(join(store.work, '.aws'), {
        config: '[profile ci]\nregion = eu-north-1\n',
        credentials: `# keys\n[ci]\naws_access_key_id = ${keys.id}\naws_secret_access_key=${keys.secret}\n`,
      });
      await brings(store, place, { env: { ...endpoint(server.url), AWS_PROFILE: 'ci' } });
      const none = await build(store, place, { env: endpoint(server.url) });
      assert.match(none.stderr, /find keys for AWS: none in the environment, the shared files/);
    }
    const temporary = { ...keys, token: 'session-token' };
    await using server = await s3(objects, { keys: temporary, webToken: 'web-token' });
    writeFileSync(join(store.work, 'token'), 'web-token\n');
    await brings(store, place, {
      env: {
        ...endpoint(server.url),
        AWS_WEB_IDENTITY_TOKEN_FILE: join(store.work, 'token'),
        AWS_ROLE_ARN: 'arn:aws:iam::1:role/ci',
        AWS_ENDPOINT_URL_STS: server.url,
      },
    });
    await brings(store, place, {
      env: { ...endpoint(server.url), AWS_EC2_METADATA_DISABLED: '', AWS_EC2_METADATA_SERVICE_ENDPOINT: server.url },
    });
    assert.ok(server.asked.includes('PUT /latest/api/token 200'));
  });

  test('Google Cloud Storage: a service account whose assertion is verified', async () => {
    using store = emptyStore();
    const content = archive(store);
    const pair = generateKeyPairSync('rsa', {
      modulusLength: 2048,
      publicKeyEncoding: { type: 'spki', format: 'pem' },
      privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
    });
    const email = 'ci@project.example';
    await using server = await gcs({ '/builds/dir/c.tar.gz': content }, { publicKey: pair.publicKey, email });
    const file = join(store.work, 'account.json');
    const account = {
      type: 'service_account',
      client_email: email,
      private_key: pair.privateKey,
      token_uri: `${server.url}/token`,
    };
    writeFileSync(file, JSON.stringify(account));
    const env = { STORAGE_EMULATOR_HOST: server.url, GOOGLE_APPLICATION_CREDENTIALS: file };
    await brings(store, 'gs://builds/dir/c.tar.gz', { env });
    await brings(store, '', { env, args: ['--context=', '-b', 'builds/dir/c.tar.gz'] });
    writeFileSync(file, JSON.stringify({ ...account, client_email: 'other@project.example' }));
    assert.match((await build(store, 'gs://builds/dir/c.tar.gz', { env })).stderr, /HTTP status 400 \(invalid_grant\)/);
    const nobody = await build(store, 'gs://builds/dir/c.tar.gz', { env: { STORAGE_EMULATOR_HOST: server.host } });
    assert.match(nobody.stderr, /HTTP status 401 \(Login Required\.\)/);
  });

  test('Azure by key and by shared access signature; any https', { skip: lacking('openssl') }, async () => {
    using store = emptyStore();
    const content = archive(store);
    const host = 'builds.blob.core.windows.net';
    const tls = certificates(store.work, [host, 'files.example']);
    const accountKey = randomBytes(32).toString('base64');
    const put = new Map<string, string>();
    await using server = await tlsFiles(
      { '/c/context.tar.gz': content, '/plain.tar.gz': content, '/Dockerfile': Buffer.from(FILES.Dockerfile) },
      { ...tls, account: 'builds', accountKey, put },
    );
    await using proxy = await proxyTo(server);
    const env = { HTTPS_PROXY: proxy.url, SSL_CERT_FILE: tls.ca };
    const blob = `https://${host}/c/context.tar.gz`;
    await brings(store, blob, { env: { ...env, AZURE_STORAGE_ACCESS_KEY: accountKey } });
    await brings(store, `${blob}?sv=1&sig=shared`, { env });
    assert.match((await build(store, blob, { env })).stderr, /AZURE_STORAGE_ACCESS_KEY is not set/);
    const wrong = await build(store, blob, {
      env: { ...env, AZURE_STORAGE_ACCESS_KEY: randomBytes(32).toString('base64') },
    });
    assert.match(wrong.stderr, /HTTP status 403 \(Server failed to authenticate the request\.\)/);
    const { stderr } = await brings(store, 'https://files.example/elsewhere', { env });
    assert.match(stderr, /msg="Retrieved https tar file"/);
    await brings(store, join(store.work, 'context'), {
      env,
      args: ['-f', 'https://files.example/Dockerfile', '--digest-file=https://files.example/digest'],
    });
    assert.match(put.get('/digest') ?? '', /^sha256:[0-9a-f]{64}$/);
    assert.equal((await build(store, 'https://files.example/gone', { env })).code, 1);
    const untrusted = await build(store, 'https://files.example/plain.tar.gz', { env: { HTTPS_PROXY: proxy.url } });
    assert.equal(untrusted.code, 1);
  });
});
