import { looksSecret } from '../base/index.ts';
import type { Digest, Platform } from '../blob/index.ts';
import { formatPlatform, goJson, normalizePlatform, unlessEmpty, type GoValue } from '../image/index.ts';
import { digestSet } from './attestation-image.ts';
import { imagePurl } from './purl.ts';
import type { ProvenanceWish, Statement } from './types.ts';

/** What is known of a build when it has ended. No secret's value is among it. Times: milliseconds since the epoch. */
export interface BuildFacts {
  readonly frontend: string;
  /** The frontend's options. */
  readonly options: Readonly<Record<string, string>>;
  /** The path of the Dockerfile or its like. */
  readonly path?: string | undefined;
  readonly sources: BuildSources;
  readonly secrets: readonly NamedNeed[];
  readonly ssh: readonly NamedNeed[];
  /** A step could reach the network. */
  readonly networked: boolean;
  readonly builder: Platform;
  readonly started: number;
  readonly finished: number;
  readonly invocation: string;
  /** For mode=max. */
  readonly config?: BuildConfig | undefined;
}

export interface BuildSources {
  /** By name as it was asked for; `digest` of its manifest. `local`: of a layout that the asking side offered. */
  readonly images: readonly {
    readonly name: string;
    readonly platform: Platform;
    readonly digest?: Digest | undefined;
    readonly local?: boolean | undefined;
  }[];
  /** `url` with "#ref" where there is one. */
  readonly git: readonly { readonly url: string; readonly commit: string }[];
  readonly http: readonly { readonly url: string; readonly digest: Digest }[];
  /** Names of files of the asking side. */
  readonly local: readonly string[];
}

/** Of a secret or agent: its id. */
export interface NamedNeed {
  readonly id: string;
  readonly optional: boolean;
}

/** The steps by BuildKit's words, where they were written, and what layers came of them. */
export interface BuildConfig {
  readonly steps: readonly GoValue[];
  readonly digests: Readonly<Record<string, string>>;
  readonly locations?: Readonly<Record<string, GoValue>> | undefined;
  readonly files?: readonly { readonly name: string; readonly language: string; readonly text: string }[] | undefined;
  readonly layers?: Readonly<Record<string, GoValue>> | undefined;
}

const TYPE_1 = 'https://github.com/moby/buildkit/blob/master/docs/attestations/slsa-definitions.md';
const TYPE_02 = 'https://mobyproject.org/buildkit@v1';

/** Options that say where a build runs, not what it makes (solver/llbsolver/provenance/predicate.go, FilterArgs). */
const OF_THE_HOST: ReadonlySet<string> = new Set([
  'cgroup-parent',
  'image-resolve-mode',
  'platform',
  'cache-imports',
  'contextkey',
  'dockerfilekey',
  'filename',
  'context',
]);

/** SLSA provenance of a build, as BuildKit writes it (docs/attestations/slsa-definitions.md). Values that look like secrets and logins in addresses are left out. */
export function provenance(facts: BuildFacts, wish: ProvenanceWish): Statement {
  const said = new Facts(facts, wish);
  const value = wish.version === 'v1' ? said.version1() : said.version02();
  return {
    predicateType: `https://slsa.dev/provenance/${wish.version}`,
    predicate: Buffer.from(goJson(value, 2)),
    filename: wish.filename,
    ...(wish.inlineOnly ? { inlineOnly: true } : {}),
  };
}

type Struct = ReadonlyMap<string, GoValue | undefined>;

function struct(members: Readonly<Record<string, GoValue | undefined>>): Struct {
  return new Map(Object.entries(members));
}

class Facts {
  readonly #facts: BuildFacts;
  readonly #wish: ProvenanceWish;
  readonly #hide: Redaction;
  readonly #isMax: boolean;
  readonly #args: Readonly<Record<string, string>>;

  constructor(facts: BuildFacts, wish: ProvenanceWish) {
    this.#facts = facts;
    this.#wish = wish;
    this.#isMax = wish.mode === 'max';
    this.#hide = new Redaction(facts.options);
    this.#args = Object.fromEntries(
      Object.entries(facts.options)
        .filter(([name]) => !OF_THE_HOST.has(name) && !/^(?:attest:|vcs:|input:context$)/.test(name))
        .map(([name, text]) => [name, this.#hide.named(name.replace(/^[a-z-]+:/, ''), text)]),
    );
  }

  version1(): Struct {
    const { builder, invocation } = this.#facts;
    const { uri, digest, path } = this.#configSource();
    return struct({
      buildDefinition: struct({
        buildType: TYPE_1,
        resolvedDependencies: unlessEmpty(this.#dependencies()),
        externalParameters: struct({ configSource: struct({ uri, digest, path }), request: this.#request() }),
        internalParameters: struct({ buildConfig: this.#buildConfig(), builderPlatform: platformText(builder) }),
      }),
      runDetails: struct({
        builder: struct({ id: this.#wish.builderId }),
        metadata: struct({
          invocationId: invocation,
          startedOn: timeText(this.#facts.started),
          finishedOn: timeText(this.#facts.finished),
          buildkit_metadata: this.#metadata(),
          buildkit_hermetic: unlessEmpty(this.#isHermetic),
          buildkit_completeness: struct({ request: this.#tellsRequest, resolvedDependencies: this.#tellsSources }),
          buildkit_reproducible: unlessEmpty(this.#wish.reproducible),
        }),
      }),
    });
  }

  version02(): Struct {
    const { builder, invocation } = this.#facts;
    const { uri, digest, path } = this.#configSource();
    return struct({
      builder: struct({ id: this.#wish.builderId }),
      buildType: TYPE_02,
      materials: unlessEmpty(this.#dependencies()),
      invocation: struct({
        configSource: struct({ uri, digest, entryPoint: path }),
        parameters: this.#request(),
        environment: struct({ platform: platformText(builder) }),
      }),
      buildConfig: this.#buildConfig(),
      metadata: struct({
        buildInvocationID: invocation,
        buildStartedOn: timeText(this.#facts.started),
        buildFinishedOn: timeText(this.#facts.finished),
        completeness: struct({ parameters: this.#tellsRequest, environment: true, materials: this.#tellsSources }),
        reproducible: this.#wish.reproducible,
        [`${TYPE_02}#metadata`]: this.#metadata(),
        [`${TYPE_02}#hermetic`]: unlessEmpty(this.#isHermetic),
      }),
    });
  }

  /** In mode=min arguments and labels are not told, so that the request is not told whole. */
  get #tellsRequest(): boolean {
    if (this.#facts.frontend === '') return false;
    return this.#isMax || !Object.keys(this.#args).some(isPrivate);
  }

  get #tellsSources(): boolean {
    return this.#facts.sources.local.length === 0;
  }

  get #isHermetic(): boolean {
    return this.#tellsSources && !this.#facts.networked;
  }

  #request(): Struct {
    const { frontend, secrets, ssh, sources } = this.#facts;
    const args = Object.entries(this.#args).filter(([name]) => this.#isMax || !isPrivate(name));
    const needs = (all: readonly NamedNeed[]): GoValue | undefined =>
      this.#isMax
        ? unlessEmpty(all.map(({ id, optional }) => struct({ id, optional: unlessEmpty(optional) })))
        : undefined;
    return struct({
      frontend: unlessEmpty(frontend),
      args: unlessEmpty(Object.fromEntries(args)),
      secrets: needs(secrets),
      ssh: needs(ssh),
      locals: unlessEmpty(sources.local.map((name) => struct({ name }))),
    });
  }

  #dependencies(): readonly GoValue[] {
    const { images, git, http } = this.#facts.sources;
    return [
      ...images.map(({ name, platform, digest, local }) =>
        struct({
          uri: imagePurl(local ? 'oci' : 'docker', name, { platform }),
          digest: digest && digestSet(digest),
        }),
      ),
      ...git.map(({ url, commit }) => struct({ uri: this.#hide.text(url), digest: commitSet(commit) })),
      ...http.map(({ url, digest }) => struct({ uri: this.#hide.text(url), digest: digestSet(digest) })),
    ];
  }

  /** Where the description of the build is from: nowhere but this side's files, or a repository or address that is the context. */
  #configSource(): { uri?: string | undefined; digest?: GoValue | undefined; path?: string | undefined } {
    const { options, path, sources } = this.#facts;
    const context = options['context'] ?? options['input:context'];
    if (context === undefined || context === '') return { path };
    const [repository] = context.split('#');
    const git = sources.git.find(({ url }) => url === context || url.split('#')[0] === repository);
    const http = sources.http.find(({ url }) => url === context);
    const digest = git ? commitSet(git.commit) : http && digestSet(http.digest);
    return { uri: this.#hide.text(context), digest, path };
  }

  #buildConfig(): GoValue | undefined {
    const { config } = this.#facts;
    if (!this.#isMax || !config || config.steps.length === 0) return undefined;
    const steps = config.steps.map((step) => this.#hide.value(step));
    // The digest of a step whose words are hidden would tell whether a guess at them is right.
    const digests = this.#hide.hasHidden ? undefined : config.digests;
    return struct({ llbDefinition: steps, digestMapping: digests && unlessEmpty(digests) });
  }

  #metadata(): GoValue {
    const vcs = Object.entries(this.#facts.options).flatMap(([name, text]) =>
      name.startsWith('vcs:') && text !== '' ? [[name.slice('vcs:'.length), this.#hide.text(text)] as const] : [],
    );
    const { config } = this.#facts;
    const { files = [], locations = {}, layers = {} } = (this.#isMax && config) || {};
    const source =
      files.length === 0
        ? undefined
        : struct({ locations: unlessEmpty(locations), infos: files.map((file) => this.#file(file)) });
    return struct({ vcs: unlessEmpty(Object.fromEntries(vcs)), source, layers: unlessEmpty(layers) });
  }

  #file({ name, language, text }: { readonly name: string; readonly language: string; readonly text: string }): Struct {
    return struct({
      filename: name,
      language: unlessEmpty(language),
      data: Buffer.from(this.#hide.text(text)).toString('base64'),
    });
  }
}

/** Takes out of texts what nobody else should read: logins in addresses, and values of arguments that look like secrets by their names, wherever they turn up. */
class Redaction {
  readonly #values: readonly string[];
  #hidden = false;

  constructor(options: Readonly<Record<string, string>>) {
    const values = Object.entries(options).flatMap(([name, text]) => {
      const argument = /^(?:build-arg|label):(.*)$/s.exec(name)?.[1];
      return argument !== undefined && text.length >= 4 && looksSecret(argument, text) ? [text] : [];
    });
    // The longest first: one may be part of another.
    this.#values = [...new Set(values)].sort((a, b) => b.length - a.length);
  }

  get hasHidden(): boolean {
    return this.#hidden || this.#values.length > 0;
  }

  named(name: string, text: string): string {
    return looksSecret(name, text) ? MASK : this.text(text);
  }

  text(text: string): string {
    let told = text.replace(/([a-z][a-z0-9+.-]*:\/\/)[^\s/@:]*:[^\s/@]*@/gi, '$1xxxxx:xxxxx@');
    for (const value of this.#values) told = told.replaceAll(value, MASK);
    if (told !== text) this.#hidden = true;
    return told;
  }

  value(value: GoValue): GoValue {
    if (typeof value === 'string') {
      const equals = value.indexOf('=');
      const name = value.slice(0, Math.max(equals, 0));
      if (/^[A-Za-z_][A-Za-z0-9_]*$/.test(name) && looksSecret(name, value.slice(equals + 1))) {
        this.#hidden = true;
        return `${name}=${MASK}`;
      }
      return this.text(value);
    }
    if (value === null || typeof value !== 'object') return value;
    if (Array.isArray(value)) return value.map((member: GoValue) => this.value(member));
    const entries = value instanceof Map ? [...value] : Object.entries(value);
    return new Map(
      entries.map(([key, member]) => [key, member === undefined ? undefined : this.value(member as GoValue)]),
    );
  }
}

const MASK = 'xxxxx';

function isPrivate(name: string): boolean {
  return name.startsWith('build-arg:') || name.startsWith('label:');
}

function commitSet(commit: string): Readonly<Record<string, string>> {
  return { [commit.length === 64 ? 'sha256' : 'sha1']: commit };
}

function platformText(platform: Platform): string {
  return formatPlatform(normalizePlatform(platform));
}

/** RFC 3339 in UTC. */
function timeText(milliseconds: number): string {
  return new Date(milliseconds).toISOString().replace(/\.?0*Z$/, 'Z');
}
