import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { CodedError, hasErrno, type Wait } from '../../base/index.ts';
import type { Platform } from '../../blob/index.ts';
import { dockerfileFrontend, parseDockerfile, SourceText } from '../../frontend/dockerfile/index.ts';
import type { FrontendHost } from '../../frontend/index.ts';
import { canonicalReference, formatPlatform, hostPlatform, parseReference } from '../../image/index.ts';
import type { DockerfilePlace } from './find-dockerfile.ts';

/** The images that the stages of a Dockerfile begin with, or copy from: canonical references, in order, each once. The frontend itself is asked what it would resolve, so that arguments count as in a build. */
export async function basesOf(
  dockerfile: DockerfilePlace,
  o: { readonly buildArgs: ReadonlyMap<string, string>; readonly platform: Platform } & Wait,
): Promise<readonly string[]> {
  const read = (path: string): Buffer => {
    try {
      return readFileSync(join(dockerfile.folder, path));
    } catch (error) {
      if (hasErrno(error, 'ENOENT', 'EISDIR', 'ENOTDIR'))
        throw new CodedError({
          code: 'DOCKERFILE_MISSING',
          kind: 'not_found',
          message: `read "${path}": no such file`,
        });
      throw error;
    }
  };
  const { instructions } = parseDockerfile(new SourceText(dockerfile.name, read(dockerfile.name).toString()));
  const stages = instructions.filter(({ name }) => name === 'from').length;
  const found = new Set<string>();
  const host = lookingHost(read, (reference) => found.add(canonicalReference(parseReference(reference))));
  for (let stage = 0; stage < stages; stage++)
    await dockerfileFrontend(
      {
        options: {
          filename: dockerfile.name,
          target: String(stage),
          platform: formatPlatform(o.platform),
          ...Object.fromEntries([...o.buildArgs].map(([name, value]) => [`build-arg:${name}`, value])),
        },
        platforms: [o.platform],
        buildPlatform: hostPlatform(process),
      },
      host,
      { signal: o.signal },
    );
  return [...found];
}

/** A host that notes what is resolved and gives an empty image for it. */
function lookingHost(read: (path: string) => Buffer, note: (reference: string) => void): FrontendHost {
  const refuse = (): never => {
    throw new CodedError({
      code: 'DOCKERFILE_MISSING',
      kind: 'not_found',
      message: 'look for bases: nothing is built',
    });
  };
  return {
    resolve: async (op) => {
      const { source } = op;
      if (source.type === 'image') note(source.reference);
      const config = { architecture: 'amd64', os: 'linux', rootfs: { type: 'layers', diff_ids: [] }, config: {} };
      return { source: op, config: Buffer.from(JSON.stringify(config)) };
    },
    find: refuse,
    solve: async (state) => {
      const op = state.edge?.vertex.op;
      return { id: op?.kind === 'source' && op.source.type === 'local' ? op.source.name : '' };
    },
    read: async (ref, path) => (ref.id === 'dockerfile' ? read(path) : refuse()),
    list: refuse,
    stat: async () => undefined,
    diffIds: refuse,
    task: (_name, work) => work(() => undefined),
    call: refuse,
    input: () => undefined,
    warn: () => undefined,
  };
}
