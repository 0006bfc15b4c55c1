import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before } from 'node:test';
import { builderSuite } from '../../src/engine/builder.suite.ts';
import { connectEndpoint } from '../../src/doors/cli/remote/connect-endpoint.ts';
import { parseEndpoint } from '../../src/doors/cli/remote/endpoint.ts';
import { dockerfileFrontend } from '../../src/frontend/dockerfile/index.ts';
import { remoteBuilder } from '../../src/serve/remote/index.ts';
import { findBuildkitd, rootWith, type TestBuildkitd } from '../lib/buildkitd.ts';

const found = findBuildkitd();
const folder = mkdtempSync(join(tmpdir(), 'strake-e2e-buildkit-'));
const tools = join(folder, 'tools');
let daemon: TestBuildkitd | undefined;
before(async () => {
  if (!('open' in found)) return;
  mkdirSync(tools);
  rootWith(tools, ['dash', 'sleep', 'cat', 'ssh-add']);
  daemon = await found.open(join(folder, 'docker'));
});
after(async () => {
  await daemon?.[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
});

builderSuite(
  'on BuildKit',
  async () => {
    const endpoint = daemon && parseEndpoint(daemon.on, { env: {} });
    if (!endpoint) throw new TypeError('no daemon');
    const connection = await connectEndpoint(endpoint, { cwd: tools });
    return {
      builder: remoteBuilder(connection, { frontends: { dockerfile: dockerfileFrontend }, sharedKey: 'strake-e2e' }),
      base: 'FROM scratch\nCOPY --from=tools / /',
      folders: { tools },
      forever: 'sleep 300',
      forget: async () => daemon?.forget?.(),
      [Symbol.asyncDispose]: () => connection[Symbol.asyncDispose](),
    };
  },
  { skip: 'skip' in found && found.skip },
);
