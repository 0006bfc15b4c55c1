import { looksSecret } from '../base/index.ts';
import type { Attestation, PlannedImage } from '../frontend/index.ts';
import type { Source, State, Vertex } from '../graph/index.ts';
import { formatPlatform, hostPlatform, parseReference } from '../image/index.ts';

const PROVENANCE_TYPE = 'https://slsa.dev/provenance/v0.2';
const BUILD_TYPE = 'https://mobyproject.org/buildkit@v1';

export interface ProvenanceFacts {
  readonly ref: string;
  readonly frontend: string;
  /** The frontend's options. */
  readonly options: Readonly<Record<string, string>>;
  /** Milliseconds since the epoch. */
  readonly begun: number;
}

/** How an image was made, for the record of a build that was asked for no provenance: SLSA v0.2 in BuildKit's fields (solver/llbsolver/provenance), which its clients read there. What looks like a secret is left out. */
export function provenanceOf(image: PlannedImage, facts: ProvenanceFacts): Attestation {
  const sources = sourcesOf(image.root);
  const locals = sources.flatMap((source) => (source.type === 'local' ? [source.name] : []));
  const { options, frontend } = facts;
  const args = Object.entries(options).filter(
    ([name, value]) => !HIDDEN.test(name) && !looksSecret(name.replace(/^(?:build-arg|label):/, ''), value),
  );
  const context = options[options['contextkey'] || 'context'];
  const git = sources.find((source) => source.type === 'git');
  const predicate = {
    builder: { id: '' },
    buildType: BUILD_TYPE,
    materials: sources.flatMap(materialOf),
    invocation: {
      configSource: {
        ...(context !== undefined && { uri: withoutLogin(context) }),
        ...(git?.commit !== undefined && { digest: { sha1: git.commit } }),
        entryPoint: options['filename'] || 'Dockerfile',
      },
      parameters: {
        frontend: frontend || 'dockerfile.v0',
        ...(args.length > 0 && { args: Object.fromEntries(args) }),
        ...(locals.length > 0 && { locals: [...new Set(locals)].sort().map((name) => ({ name })) }),
      },
      environment: { platform: formatPlatform(hostPlatform(process)) },
    },
    metadata: {
      buildInvocationID: facts.ref,
      buildStartedOn: new Date(facts.begun).toISOString(),
      completeness: { parameters: true, environment: true, materials: locals.length === 0 },
      reproducible: false,
      [`${BUILD_TYPE}#metadata`]: vcsOf(options),
    },
  };
  return { predicateType: PROVENANCE_TYPE, predicate: Buffer.from(JSON.stringify(predicate)) };
}

/** An address as it may be told. */
function withoutLogin(url: string): string {
  return url.replace(/^([a-z][a-z0-9+.-]*:\/\/)[^/@]*@/i, '$1');
}

/** Options that say nothing of what comes out. */
const HIDDEN =
  /^(?:attest:|cache-imports$|cache-from$|vcs:|local-sessionid:|sharedkey:|frontend\.caps$|context(?:key)?$|filename$|dockerfilekey$|build-arg:BUILDKIT_|cgroup-parent$|image-resolve-mode$|platform$|input-metadata:)/;

function vcsOf(options: Readonly<Record<string, string>>): object {
  const vcs = Object.entries(options).flatMap(([name, value]) =>
    name.startsWith('vcs:') && !name.startsWith('vcs:localdir') ? [[name.slice(4), value] as const] : [],
  );
  return vcs.length > 0 ? { vcs: Object.fromEntries(vcs) } : {};
}

function sourcesOf(root: State): readonly Source[] {
  const found: Source[] = [];
  const seen = new Set<string>();
  const left: Vertex[] = root.edge ? [root.edge.vertex] : [];
  for (let vertex = left.pop(); vertex; vertex = left.pop()) {
    if (seen.has(vertex.digest)) continue;
    seen.add(vertex.digest);
    if (vertex.op.kind === 'source') found.push(vertex.op.source);
    left.push(...vertex.inputs.map((edge) => edge.vertex));
  }
  return found;
}

function materialOf(source: Source): readonly { readonly uri: string; readonly digest?: Record<string, string> }[] {
  switch (source.type) {
    case 'image': {
      const { registry, repository, tag, digest } = parseReference(source.reference);
      const path = registry === 'docker.io' ? repository.replace(/^library\//, '') : `${registry}/${repository}`;
      const platform = encodeURIComponent(formatPlatform(source.platform));
      const uri = `pkg:docker/${path}${tag === undefined ? '' : `@${tag}`}?platform=${platform}`;
      return [{ uri, ...(digest !== undefined && { digest: { sha256: digest.replace(/^sha256:/, '') } }) }];
    }
    case 'git':
      return [
        {
          uri: `${withoutLogin(source.url)}${source.ref === undefined ? '' : `#${source.ref}`}`,
          ...(source.commit !== undefined && { digest: { sha1: source.commit } }),
        },
      ];
    case 'http':
      return [
        {
          uri: withoutLogin(source.url),
          ...(source.checksum !== undefined && { digest: { sha256: source.checksum.replace(/^sha256:/, '') } }),
        },
      ];
    default:
      return [];
  }
}
