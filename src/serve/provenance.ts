import type { Attestation, Plan, PlannedImage } from '../frontend/index.ts';
import type { Source, State, Vertex } from '../graph/index.ts';
import { formatPlatform, hostPlatform, parseReference } from '../image/index.ts';
import { serveError } from './errors.ts';

export const PROVENANCE_TYPE = 'https://slsa.dev/provenance/v0.2';
const BUILD_TYPE = 'https://mobyproject.org/buildkit@v1';

/** What `attest:provenance` asks for. */
export interface ProvenanceWish {
  readonly mode: 'min' | 'max';
  readonly builderId: string;
}

export interface ProvenanceFacts {
  readonly ref: string;
  readonly frontend: string;
  /** The frontend's options. */
  readonly options: Readonly<Record<string, string>>;
  /** Milliseconds since the epoch. */
  readonly begun: number;
}

/** Reads `attest:provenance` (`mode=max,builder-id=…`). Undefined where it is not asked for. Throws `SOLVE_INVALID`. */
export function provenanceWish(options: Readonly<Record<string, string>>): ProvenanceWish | undefined {
  const text = options['attest:provenance'] ?? options['build-arg:BUILDKIT_ATTEST_PROVENANCE'];
  if (text === undefined || text === 'false') return undefined;
  const attrs = new Map(
    text
      .split(',')
      .map((field) => field.trim())
      .filter((field) => field !== '' && field !== 'true')
      .map((field): [string, string] => {
        const equals = field.indexOf('=');
        return equals < 0 ? [field, ''] : [field.slice(0, equals), field.slice(equals + 1)];
      }),
  );
  if (attrs.get('disabled') === 'true') return undefined;
  const mode = attrs.get('mode') ?? 'min';
  if (mode !== 'min' && mode !== 'max') throw serveError('SOLVE_INVALID', `invalid mode "${mode}"`);
  const version = attrs.get('version') ?? 'v0.2';
  if (version !== 'v0.2')
    throw serveError('SOLVE_UNSUPPORTED', `make provenance of version "${version}": not supported yet`, {
      remedy: 'Ask for version=v0.2.',
    });
  return { mode, builderId: attrs.get('builder-id') ?? '' };
}

/** The plan with provenance beside each of its images. */
export function withProvenance(plan: Plan, wish: ProvenanceWish, facts: ProvenanceFacts): Plan {
  const results = [...plan.results].map(
    ([key, image]) =>
      [key, { ...image, attestations: [...image.attestations, provenanceOf(image, wish, facts)] }] as const,
  );
  return { ...plan, results: new Map(results) };
}

/** How an image was made, as SLSA v0.2 says it in BuildKit's fields (solver/llbsolver/provenance). */
export function provenanceOf(image: PlannedImage, wish: ProvenanceWish, facts: ProvenanceFacts): Attestation {
  const sources = sourcesOf(image.root);
  const locals = sources.flatMap((source) => (source.type === 'local' ? [source.name] : []));
  const { options, frontend } = facts;
  const isMax = wish.mode === 'max';
  const args = Object.entries(options).filter(
    ([name]) => !HIDDEN.test(name) && (isMax || !/^(?:build-arg|label):/.test(name)),
  );
  const context = options[options['contextkey'] || 'context'];
  const git = sources.find((source) => source.type === 'git');
  const predicate = {
    builder: { id: wish.builderId },
    buildType: BUILD_TYPE,
    materials: sources.flatMap(materialOf),
    invocation: {
      configSource: {
        ...(context !== undefined && { uri: context }),
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
      completeness: { parameters: isMax, environment: true, materials: locals.length === 0 },
      reproducible: false,
      [`${BUILD_TYPE}#metadata`]: vcsOf(options),
    },
  };
  return { predicateType: PROVENANCE_TYPE, predicate: Buffer.from(JSON.stringify(predicate)) };
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
          uri: `${source.url}${source.ref === undefined ? '' : `#${source.ref}`}`,
          ...(source.commit !== undefined && { digest: { sha1: source.commit } }),
        },
      ];
    case 'http':
      return [
        {
          uri: source.url,
          ...(source.checksum !== undefined && { digest: { sha256: source.checksum.replace(/^sha256:/, '') } }),
        },
      ];
    default:
      return [];
  }
}
