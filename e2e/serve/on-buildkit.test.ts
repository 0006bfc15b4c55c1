import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { builderSuite } from '../../src/engine/builder.suite.ts';
import { connectEndpoint } from '../../src/doors/cli/remote/connect-endpoint.ts';
import { parseEndpoint } from '../../src/doors/cli/remote/endpoint.ts';
import { dockerfileFrontend } from '../../src/frontend/dockerfile/index.ts';
import { remoteBuilder } from '../../src/serve/remote/index.ts';
import { findBuildkitd, rootWith } from '../lib/buildkitd.ts';

const found = findBuildkitd();
const tools = mkdtempSync(join(tmpdir(), 'strake-e2e-tools-'));
after(() => rmSync(tools, { recursive: true, force: true }));
if ('on' in found) rootWith(tools, ['dash', 'sleep']);

builderSuite(
  'on BuildKit',
  async () => {
    const endpoint = 'on' in found ? parseEndpoint(found.on, { env: {} }) : undefined;
    if (!endpoint) throw new TypeError('no daemon');
    const connection = await connectEndpoint(endpoint, { cwd: tools });
    return {
      builder: remoteBuilder(connection, { frontends: { dockerfile: dockerfileFrontend }, sharedKey: 'strake-e2e' }),
      base: 'FROM scratch\nCOPY --from=tools / /',
      folders: { tools },
      forever: 'sleep 300',
      [Symbol.asyncDispose]: () => connection[Symbol.asyncDispose](),
    };
  },
  { skip: 'skip' in found && found.skip },
);
