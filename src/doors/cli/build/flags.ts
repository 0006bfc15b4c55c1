import type { Platform } from '../../../blob/index.ts';
import type { BuildRequest, ImageMetadata } from '../../../engine/index.ts';
import { hostPlatform, parsePlatform } from '../../../image/index.ts';
import { usage } from '../errors.ts';
import { annotationsOf } from '../parse/annotation.ts';
import { attestationsOf, type AttestFlags } from '../parse/attest.ts';
import { cacheFrom, cacheTo, type CacheFrom, type CacheToPlan } from '../parse/cache.ts';
import { csvFields, csvLine } from '../parse/csv.ts';
import { extraHost, networkMode } from '../parse/network.ts';
import { imageName, planOutputs, type OutputPlan } from '../parse/output.ts';
import { booleanOf, bytesOf, keyValues } from '../parse/values.ts';
import type { BuildpackFlags } from './app-folder.ts';
import { sourcePoliciesOf } from './source-policies.ts';

/** The flags of `strake build`, as commander gives them. */
export interface BuildFlags extends BuildpackFlags, AttestFlags {
  readonly file?: string | undefined;
  readonly tag: readonly string[];
  readonly target?: string | undefined;
  readonly buildArg: readonly string[];
  readonly buildContext: readonly string[];
  readonly platform: readonly string[];
  readonly cache: boolean;
  readonly cacheFilter: readonly string[];
  readonly cacheFrom: readonly string[];
  readonly cacheTo: readonly string[];
  readonly pull?: boolean | undefined;
  readonly label: readonly string[];
  readonly annotation: readonly string[];
  readonly secret: readonly string[];
  readonly ssh: readonly string[];
  readonly network: string;
  readonly addHost: readonly string[];
  readonly output: readonly string[];
  readonly push?: boolean | undefined;
  readonly load?: boolean | undefined;
  readonly iidfile?: string | undefined;
  readonly metadataFile?: string | undefined;
  readonly report?: string | undefined;
  readonly otlp?: string | undefined;
  readonly traceDir?: string | undefined;
  readonly allow: readonly string[];
  readonly sourcePolicy?: string | undefined;
  readonly shmSize?: string | undefined;
  readonly ulimit: readonly string[];
  readonly memory?: string | undefined;
  readonly memorySwap?: string | undefined;
  readonly cpuShares?: string | undefined;
  readonly cpuPeriod?: string | undefined;
  readonly cpuQuota?: string | undefined;
  readonly cpusetCpus?: string | undefined;
  readonly cpusetMems?: string | undefined;
  readonly onError?: string | undefined;
  readonly call?: string | undefined;
  readonly check?: boolean | undefined;
  readonly quiet?: boolean | undefined;
  readonly progress?: string | undefined;
}

export interface Surroundings {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly stdoutIsTerminal: boolean;
  readonly insecure: readonly string[];
}

export interface Planned {
  readonly request: BuildRequest & ImageMetadata;
  readonly outputs: OutputPlan;
  readonly caches: { readonly from: readonly CacheFrom[]; readonly to: CacheToPlan };
}

const ENTITLEMENTS: readonly string[] = ['network.host', 'security.insecure'];

/** The request that flags and environment come to, but for what depends on the context: `filename` and `context:NAME`. Throws `USAGE` and the errors of names and platforms. */
export function planBuild(flags: BuildFlags, o: Surroundings): Planned {
  const host = hostPlatform(process);
  const platforms = flags.platform.flatMap((text) => text.split(',')).map((text) => parsePlatform(text.trim(), host));
  const buildArgs = keyValues(flags.buildArg, { what: '--build-arg', alone: (name) => o.env[name] });
  const epoch = epochOf(buildArgs, flags, o.env);
  const { mode, allow } = networkMode(flags.network);
  const sourcePolicies = sourcePoliciesOf(flags.sourcePolicy, o);
  const outputs = planOutputs({
    specs: flags.output,
    tags: flags.tag.map(imageName),
    push: flags.push === true,
    load: flags.load === true,
    cwd: o.cwd,
    stdoutIsTerminal: o.stdoutIsTerminal,
    platforms: platforms.length > 0 ? platforms : [host],
    insecure: (registry) => o.insecure.includes(registry),
  });
  const from = cacheFrom(flags.cacheFrom, o);
  const to = cacheTo([...flags.cacheTo, ...inlineAsked(buildArgs, flags)], o);
  const options: Record<string, string> = {
    ...withPrefix('build-arg:', buildArgs),
    ...withPrefix('label:', keyValues(flags.label, { what: '--label', alone: () => '' })),
    ...given('target', flags.target),
    ...given('no-cache', noCacheOf(flags)),
    ...given('image-resolve-mode', flags.pull ? 'pull' : undefined),
    ...given('force-network-mode', mode),
    ...given('add-hosts', flags.addHost.length > 0 ? csvLine(flags.addHost.map(extraHost)) : undefined),
    ...given('shm-size', flags.shmSize === undefined ? undefined : String(bytesOf(flags.shmSize, '--shm-size'))),
    ...given('ulimit', flags.ulimit.length > 0 ? csvLine(flags.ulimit) : undefined),
    ...limitsOf(flags),
    ...given('platform', flags.platform.length > 0 ? flags.platform.join(',') : undefined),
    ...attestationsOf(flags),
  };
  return {
    outputs,
    caches: { from, to },
    request: {
      frontend: 'dockerfile',
      options,
      platforms,
      exports: outputs.exports,
      allow: [...new Set([...allow, ...entitlementsOf(flags.allow)])],
      ...(sourcePolicies && { sourcePolicies }),
      annotations: [
        ...flags.annotation.flatMap((text) => annotationsOf(text, { platforms: wanted(platforms, host) })),
        ...outputs.annotations,
      ],
      epoch,
      rewriteTimestamp: outputs.rewriteTimestamp,
      noCache: flags.cache ? undefined : true,
      cacheTo: to.exports,
    },
  };
}

function wanted(platforms: readonly Platform[], host: Platform): readonly Platform[] {
  return platforms.length > 0 ? platforms : [host];
}

/** SOURCE_DATE_EPOCH: of --build-arg, else of the environment; empty is as if it were not there. */
function epochOf(buildArgs: Map<string, string>, flags: BuildFlags, env: Surroundings['env']): number | undefined {
  const name = 'SOURCE_DATE_EPOCH';
  const explicit = flags.buildArg.some((text) => text === name || text.startsWith(`${name}=`));
  const text = explicit ? buildArgs.get(name) : env[name];
  if (text === undefined || text === '') {
    if (text === '') buildArgs.delete(name);
    return undefined;
  }
  buildArgs.set(name, text);
  // A word names what has a time of its own, as "context"; whether it does the frontend finds out.
  return /^\d{1,12}$/.test(text) ? Number(text) : undefined;
}

/** Limits of RUN lines, by the frontend's names for them; it says what is wrong with a number. */
function limitsOf(flags: BuildFlags): Record<string, string> {
  const bytes = (text: string | undefined, what: string): string | undefined =>
    text === undefined || text === '-1' ? text : String(bytesOf(text, what));
  return {
    ...given('memory', bytes(flags.memory, '--memory')),
    ...given('memswap', bytes(flags.memorySwap, '--memory-swap')),
    ...given('cpushares', flags.cpuShares),
    ...given('cpuperiod', flags.cpuPeriod),
    ...given('cpuquota', flags.cpuQuota),
    ...given('cpusetcpus', flags.cpusetCpus),
    ...given('cpusetmems', flags.cpusetMems),
  };
}

function noCacheOf(flags: BuildFlags): string | undefined {
  if (!flags.cache) return '';
  const stages = flags.cacheFilter.flatMap((text) => csvFields(text, '--no-cache-filter'));
  return stages.length > 0 ? stages.join(',') : undefined;
}

/** `--build-arg BUILDKIT_INLINE_CACHE=1` means the same as `--cache-to type=inline`. */
function inlineAsked(buildArgs: ReadonlyMap<string, string>, { cacheTo: texts }: BuildFlags): readonly string[] {
  const text = buildArgs.get('BUILDKIT_INLINE_CACHE');
  if (text === undefined || text === '' || texts.some((each) => each.includes('type=inline'))) return [];
  return booleanOf(text, 'BUILDKIT_INLINE_CACHE') ? ['type=inline'] : [];
}

function entitlementsOf(texts: readonly string[]): readonly string[] {
  for (const text of texts)
    if (!ENTITLEMENTS.includes(text))
      throw usage(`read --allow "${text}": there is no such entitlement`, `Use one of: ${ENTITLEMENTS.join(', ')}.`);
  return texts;
}

function withPrefix(prefix: string, values: ReadonlyMap<string, string>): Record<string, string> {
  return Object.fromEntries([...values].map(([name, value]) => [prefix + name, value]));
}

function given(name: string, value: string | undefined): Record<string, string> {
  return value === undefined ? {} : { [name]: value };
}
