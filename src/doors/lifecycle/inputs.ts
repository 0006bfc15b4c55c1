import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { apiAtLeast, type ApiVersion } from '../../frontend/buildpack/index.ts';
import { lifecycleError } from './errors.ts';
import type { Flag, PhaseName } from './flag.ts';
import { FLAGS } from './flags.ts';
import { parseBool, type ParsedFlags } from './parse-flags.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** What a phase was asked for: a flag, else the environment, else the default (platform.md, Lifecycle Interface). */
export class Inputs {
  readonly api: ApiVersion;
  readonly env: Environment;
  /** What stands after the flags. */
  readonly words: readonly string[];
  readonly #parsed: ParsedFlags;
  readonly #phase: PhaseName;
  readonly #cwd: string;

  constructor(parsed: ParsedFlags, o: { phase: PhaseName; api: ApiVersion; env: Environment; cwd: string }) {
    this.#parsed = parsed;
    this.#phase = o.phase;
    this.#cwd = o.cwd;
    this.api = o.api;
    this.env = o.env;
    this.words = parsed.words;
  }

  /** A phase of the creator takes what the creator was given. */
  since(api: ApiVersion): boolean {
    return apiAtLeast(this.api, api);
  }

  /** Empty where nothing is said. */
  text(name: string): string {
    const flag = flagNamed(name, this.#phase);
    const given = this.#parsed.values.get(name)?.at(-1);
    if (given !== undefined) return given;
    const fromEnv = flag.env === undefined ? undefined : this.env[flag.env];
    if (fromEnv !== undefined && fromEnv !== '') return fromEnv;
    if (flag.fallback === undefined) return '';
    return flag.fallback.startsWith('<layers>')
      ? `${this.path('layers')}${flag.fallback.slice('<layers>'.length)}`
      : flag.fallback;
  }

  /** Absolute. */
  path(name: string): string {
    const text = this.text(name);
    return text === '' ? '' : resolve(this.#cwd, text);
  }

  /** The builder's, where the folder of layers has none of its own. */
  orderPath(): string {
    const path = this.path('order');
    const said = this.#parsed.values.has('order') || (this.env['CNB_ORDER_PATH'] ?? '') !== '';
    return said || existsSync(path) ? path : '/cnb/order.toml';
  }

  /** False where the program has no such flag, whatever the environment says to others. */
  takes(name: string): boolean {
    return FLAGS.some((one) => one.name === name && one.phases.includes(this.#phase));
  }

  bool(name: string): boolean {
    return parseBool(this.text(name)) ?? false;
  }

  list(name: string): readonly string[] {
    const given = this.#parsed.values.get(name);
    const { env } = flagNamed(name, this.#phase);
    const texts = given ?? [env === undefined ? '' : (this.env[env] ?? '')];
    return texts.flatMap((text) => text.split(',')).filter((text) => text !== '');
  }

  /** User and group of the build. */
  ids(): { readonly uid: number; readonly gid: number } {
    return { uid: this.#id('uid'), gid: this.#id('gid') };
  }

  /** The execution environment; none before Platform API 0.15. */
  get execEnv(): string {
    return this.since('0.15') ? this.env['CNB_EXEC_ENV'] || 'production' : '';
  }

  #id(name: 'uid' | 'gid'): number {
    const text = this.text(name);
    const own = name === 'uid' ? process.getuid!() : process.getgid!();
    // Who is no root becomes nobody else.
    if (text === '' && process.getuid!() !== 0) return own;
    if (/^\d+$/.test(text)) return Number(text);
    throw lifecycleError(
      'LIFECYCLE_FLAG_INVALID',
      text === '' ? `find the user of the build: -${name} is not given` : `read -${name} "${text}": it is no number`,
      {
        remedy: `Give -${name}, or set ${name === 'uid' ? 'CNB_USER_ID' : 'CNB_GROUP_ID'}, as the builder image does.`,
      },
    );
  }
}

function flagNamed(name: string, phase: PhaseName): Flag {
  const flag =
    FLAGS.find((one) => one.name === name && one.phases.includes(phase)) ?? FLAGS.find((one) => one.name === name);
  if (!flag) throw new TypeError(`there is no flag -${name}`);
  return flag;
}
