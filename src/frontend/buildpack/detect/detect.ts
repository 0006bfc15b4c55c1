import type { Wait } from '../../../base/index.ts';
import { buildpackError } from '../errors.ts';
import { apiAtLeast, checkBuildpackApi } from '../model/api.ts';
import type { DetectedGroup } from '../model/group.ts';
import { forExecEnv, moduleKey } from '../model/ids.ts';
import { completeTarget, describeTarget, targetMatches, targetsOf } from '../model/target.ts';
import type {
  ApiVersion,
  DetectRun,
  GroupElement,
  GroupEntry,
  ImageTarget,
  ModuleDescriptor,
  ModuleId,
  Order,
  PlanEntry,
  SystemBuildpacks,
} from '../model/types.ts';
import { DetectLog, type PhaseLine } from './log.ts';
import { failedOutcome, outcomeOf, type Outcome } from './outcome.ts';
import { resolveGroup, type Resolution } from './resolve.ts';
import { withSystem } from './system.ts';

/** A buildpack or extension of the builder. */
export interface DetectModule {
  readonly descriptor: ModuleDescriptor;
  /** The names in its `bin` folder. */
  readonly programs: readonly string[];
  /** Of an extension without `bin/detect`: its `detect/plan.toml`, if there is one. */
  readonly plan?: string | undefined;
}

export interface DetectInput {
  readonly order: Order;
  /** Of extensions (order.toml). */
  readonly extensions: Order;
  /** system.toml; looked at with Platform API 0.15 and later. */
  readonly system?: SystemBuildpacks | undefined;
  readonly platformApi: ApiVersion;
  /** `production`, `test`, ... */
  readonly execEnv: string;
  /** Of the run image. */
  readonly target: ImageTarget;
  /** `/etc/os-release` of the build container: asked once, where the run image does not say its distribution and somebody wants to know. */
  readonly osRelease?: ((w?: Wait) => Promise<string | undefined>) | undefined;
  /** A module of the builder, undefined where there is none. Asked once for each. */
  readonly find: (module: ModuleId, w?: Wait) => Promise<DetectModule | undefined>;
  /** Runs `bin/detect`: once for each id and version, several at once. `code` -1 stands for a program that could not be started; what is thrown ends the whole detection. */
  readonly run: (module: DetectModule, w?: Wait) => Promise<DetectRun>;
  readonly log?: ((line: PhaseLine) => void) | undefined;
}

export interface Detected extends DetectedGroup {
  readonly plan: readonly PlanEntry[];
}

/** What stands in a group: a module, or all orders of extensions. */
type Node = (GroupEntry & { readonly within: readonly string[] }) | { readonly kind: 'extensions' };

interface Started {
  readonly element: GroupElement;
  readonly optional: boolean;
  readonly outcome: Promise<Outcome>;
}

/**
 * Finds the first group whose modules all say yes and whose plan works out (buildpack.md, Phase #1; platform.md, detector):
 *
 *     const { group, extensions, plan } = await detectGroup({ order, extensions, platformApi, execEnv, target, find, run, log }, w);
 *
 * `find` looks a module up in the builder, `run` executes its `bin/detect` (environment: `detectEnvironment`) and gives its exit code, its output and the text of its plan.
 * The modules of a group run side by side. Throws CNB_NOT_DETECTED (exit code 20), CNB_DETECT_FAILED (21: a `bin/detect` failed on the way), CNB_MODULE_MISSING,
 * CNB_BUILDPACK_API_UNSUPPORTED, CNB_FILE_INVALID (a composite that leads back to itself).
 */
export async function detectGroup(input: DetectInput, w: Wait = {}): Promise<Detected> {
  const stop = new AbortController();
  const signal = w.signal === undefined ? stop.signal : AbortSignal.any([w.signal, stop.signal]);
  const detector = new Detector(input, signal);
  try {
    const result = await detector.detect();
    detector.log.flush(input.log, { failed: result.kind === 'failed' });
    if (result.kind === 'failed') throw notDetected(result.errored, input.log);
    return {
      group: result.elements.filter(({ kind }) => kind === 'buildpack'),
      extensions: result.elements.filter(({ kind }) => kind === 'extension'),
      plan: result.plan,
    };
  } catch (error) {
    detector.log.flush(input.log, { failed: true });
    throw error;
  } finally {
    stop.abort();
    await detector.settled();
  }
}

function notDetected(errored: boolean, log: ((line: PhaseLine) => void) | undefined): Error {
  log?.({ level: 'error', text: 'No buildpack groups passed detection.' });
  if (errored) return buildpackError('CNB_DETECT_FAILED', 'detect: buildpack(s) failed with err');
  log?.({ level: 'error', text: 'Please check that you are running against the correct path.' });
  return buildpackError('CNB_NOT_DETECTED', 'detect: no buildpacks participating', {
    remedy: 'Check that the path is the one of the source, or name other buildpacks or another builder.',
  });
}

class Detector {
  readonly log = new DetectLog();
  readonly #input: DetectInput;
  readonly #w: Wait;
  readonly #modules = new Map<string, Promise<DetectModule>>();
  readonly #runs = new Map<string, Promise<Outcome>>();
  #target: Promise<ImageTarget> | undefined;

  constructor(input: DetectInput, signal: AbortSignal) {
    this.#input = input;
    this.#w = { signal };
  }

  async detect(): Promise<Resolution> {
    const { order, extensions, system, platformApi } = this.#input;
    const all = system && apiAtLeast(platformApi, '0.15') ? withSystem(order, { system, log: this.log }) : order;
    for (const entry of [...all, ...extensions].flat()) checkBuildpackApi((await this.#find(entry)).descriptor);
    const groups = all.map((group): readonly Node[] => [
      ...(extensions.length > 0 ? [{ kind: 'extensions' } as const] : []),
      ...group.map((entry) => ({ ...entry, within: [] })),
    ]);
    return this.#order(groups, { done: [], next: [], optional: false });
  }

  /** Ends when nothing that was started runs any more. */
  async settled(): Promise<void> {
    await Promise.allSettled([...this.#runs.values(), ...this.#modules.values()]);
  }

  async #order(
    groups: readonly (readonly Node[])[],
    o: { done: readonly Started[]; next: readonly Node[]; optional: boolean },
  ): Promise<Resolution> {
    let errored = false;
    const tries = o.optional ? [...groups, []] : groups;
    for (const group of tries) {
      const result = await this.#group([...group, ...o.next], o.done);
      if (result.kind === 'found') return result;
      errored ||= result.errored;
    }
    return { kind: 'failed', errored };
  }

  async #group(nodes: readonly Node[], before: readonly Started[]): Promise<Resolution> {
    const done = [...before];
    for (const [index, node] of nodes.entries()) {
      const next = nodes.slice(index + 1);
      if (node.kind === 'extensions') {
        const groups = this.#input.extensions.map((group) => group.map((entry) => ({ ...entry, within: [] })));
        return this.#order(groups, { done, next, optional: true });
      }
      if (done.some(({ element }) => element.kind === node.kind && element.id === node.id)) continue;
      const module = await this.#find(node);
      if (!this.#isForExecEnv(node, module.descriptor)) continue;
      if (module.descriptor.order.length > 0)
        return this.#order(this.#parts(node, module.descriptor), { done, next, optional: node.optional });
      const started = await this.#start(node, module);
      if (started !== undefined) done.push(started);
    }
    const candidates = await Promise.all(
      done.map(async ({ element, optional, outcome }) => ({ element, optional, outcome: await outcome })),
    );
    return resolveGroup(candidates, this.log);
  }

  /** The groups that a composite stands for. */
  #parts(
    node: GroupEntry & { readonly within: readonly string[] },
    composite: ModuleDescriptor,
  ): readonly (readonly Node[])[] {
    const key = moduleKey(node);
    if (node.within.includes(key))
      throw buildpackError('CNB_FILE_INVALID', `detect: the order of ${key} leads back to itself`);
    const within = [...node.within, key];
    const old = !apiAtLeast(composite.api, '0.12');
    return composite.order.map((group) =>
      group.map((entry) => ({ ...entry, within, execEnv: old ? [] : entry.execEnv })),
    );
  }

  async #start(node: GroupEntry, module: DetectModule): Promise<Started | undefined> {
    const { descriptor } = module;
    const { kind, id, version, api, homepage } = descriptor;
    checkBuildpackApi(descriptor);
    const element: GroupElement = { kind, id, version, api, homepage };
    const mismatch = await this.#targetProblem(module);
    if (mismatch === undefined) return { element, optional: node.optional, outcome: this.#run(module) };
    if (!node.optional) return { element, optional: false, outcome: Promise.resolve(failedOutcome(mismatch)) };
    this.log.debug(`skip: ${id}@${version}: ${mismatch}`);
    return undefined;
  }

  #isForExecEnv(entry: GroupEntry, descriptor: ModuleDescriptor): boolean {
    const { execEnv, platformApi } = this.#input;
    if (!apiAtLeast(platformApi, '0.15') || execEnv === '') return true;
    const own = apiAtLeast(descriptor.api, '0.12') ? descriptor.execEnv : [];
    const list = [own, entry.execEnv].find((names) => !forExecEnv(names, execEnv));
    if (list === undefined) return true;
    this.log.debug(
      `Skipping ${entry.id}@${entry.version} due to execution environment mismatch; current: ${execEnv}, ${entry.kind} supports: [${list.join(' ')}]`,
    );
    return false;
  }

  async #targetProblem(module: DetectModule): Promise<string | undefined> {
    if (!apiAtLeast(this.#input.platformApi, '0.12')) return undefined;
    const targets = targetsOf(module.descriptor, module.programs);
    if (targets.length === 0) return undefined;
    this.#target ??= this.#readTarget();
    const base = await this.#target;
    if (targets.some((target) => targetMatches(base, target))) return undefined;
    const { kind } = module.descriptor;
    return `unable to satisfy target os/arch constraints; run image: ${describeTarget(base)}, ${kind}: ${targets.map(describeTarget).join(', ')}`;
  }

  async #readTarget(): Promise<ImageTarget> {
    const { target, osRelease } = this.#input;
    return completeTarget(target, { osRelease: target.distro === undefined ? await osRelease?.(this.#w) : undefined });
  }

  #run(module: DetectModule): Promise<Outcome> {
    const { descriptor, programs, plan } = module;
    const key = moduleKey(descriptor);
    let run = this.#runs.get(key);
    if (run === undefined) {
      const made = descriptor.kind === 'extension' && !programs.includes('detect');
      run = made
        ? Promise.resolve(outcomeOf(descriptor, { code: 0, output: new Uint8Array(), plan }))
        : this.#input.run(module, this.#w).then((result) => outcomeOf(descriptor, result));
      run.catch(() => undefined);
      this.#runs.set(key, run);
    }
    return run;
  }

  #find(module: ModuleId): Promise<DetectModule> {
    const key = moduleKey(module);
    let found = this.#modules.get(key);
    if (found === undefined) {
      const { kind, id, version } = module;
      found = this.#input.find({ kind, id, version }, this.#w).then((result) => {
        if (result !== undefined) return result;
        throw buildpackError('CNB_MODULE_MISSING', `detect: ${kind} "${id}@${version}" is not in the builder`);
      });
      found.catch(() => undefined);
      this.#modules.set(key, found);
    }
    return found;
  }
}
