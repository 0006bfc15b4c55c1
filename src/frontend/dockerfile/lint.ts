import type { Warning } from '../index.ts';
import { dockerfileError } from './errors.ts';
import { parseBool } from './go-text.ts';
import type { Places, Range } from './text.ts';

/** One lint rule (facts 1.11). */
interface Rule {
  /** What the rule is about; the warning's detail. */
  readonly about: string;
  /** The last part of the rule's page; none for a rule without one. */
  readonly page?: string | undefined;
  /** Runs only when asked for. */
  readonly experimental?: boolean | undefined;
}

/** All rules by name, with BuildKit's descriptions and pages. */
export const lintRules = {
  StageNameCasing: { about: 'Stage names should be lowercase', page: 'stage-name-casing' },
  FromAsCasing: { about: "The 'as' keyword should match the case of the 'from' keyword", page: 'from-as-casing' },
  NoEmptyContinuation: {
    about: 'Empty continuation lines will become errors in a future release',
    page: 'no-empty-continuation',
  },
  ConsistentInstructionCasing: {
    about: 'All commands within the Dockerfile should use the same casing (either upper or lower)',
    page: 'consistent-instruction-casing',
  },
  DuplicateStageName: { about: 'Stage names should be unique', page: 'duplicate-stage-name' },
  ReservedStageName: { about: 'Reserved words should not be used as stage names', page: 'reserved-stage-name' },
  JSONArgsRecommended: {
    about: 'JSON arguments recommended for ENTRYPOINT/CMD to prevent unintended behavior related to OS signals',
    page: 'json-args-recommended',
  },
  MaintainerDeprecated: {
    about: 'The MAINTAINER instruction is deprecated, use a label instead to define an image author',
    page: 'maintainer-deprecated',
  },
  UndefinedArgInFrom: { about: 'FROM command must use declared ARGs', page: 'undefined-arg-in-from' },
  WorkdirRelativePath: {
    about:
      'Relative workdir without an absolute workdir declared within the build can have unexpected results if the base image changes',
    page: 'workdir-relative-path',
  },
  UndefinedVar: { about: 'Variables should be defined before their use', page: 'undefined-var' },
  MultipleInstructionsDisallowed: {
    about: 'Multiple instructions of the same type should not be used in the same stage',
    page: 'multiple-instructions-disallowed',
  },
  LegacyKeyValueFormat: {
    about: 'Legacy key/value format with whitespace separator should not be used',
    page: 'legacy-key-value-format',
  },
  InvalidBaseImagePlatform: { about: 'Base image platform does not match expected target platform' },
  RedundantTargetPlatform: {
    about: 'Setting platform to predefined $TARGETPLATFORM in FROM is redundant as this is the default behavior',
    page: 'redundant-target-platform',
  },
  SecretsUsedInArgOrEnv: {
    about: 'Sensitive data should not be used in the ARG or ENV commands',
    page: 'secrets-used-in-arg-or-env',
  },
  InvalidDefaultArgInFrom: {
    about: 'Default value for global ARG results in an empty or invalid base image name',
    page: 'invalid-default-arg-in-from',
  },
  FromPlatformFlagConstDisallowed: {
    about: 'FROM --platform flag should not use a constant value',
    page: 'from-platform-flag-const-disallowed',
  },
  CopyIgnoredFile: { about: 'Attempting to Copy file that is excluded by .dockerignore', page: 'copy-ignored-file' },
  InvalidDefinitionDescription: {
    about:
      'Comment for build stage or argument should follow the format: `# <arg/stage name> <description>`. If this is not intended to be a description comment, add an empty line or comment between the instruction and the comment.',
    page: 'invalid-definition-description',
    experimental: true,
  },
  ExposeProtoCasing: { about: 'Protocol in EXPOSE instruction should be lowercase', page: 'expose-proto-casing' },
  ExposeInvalidFormat: {
    about:
      'IP address and host-port mapping should not be used in EXPOSE instruction. This will become an error in a future release',
    page: 'expose-invalid-format',
  },
} as const satisfies Readonly<Record<string, Rule>>;

export type RuleName = keyof typeof lintRules;

/** What `# check=` and BUILDKIT_DOCKERFILE_CHECK say. */
export interface LintConfig {
  readonly skip: 'all' | readonly string[];
  readonly experimental: 'all' | readonly string[];
  /** Warnings fail the build. */
  readonly error: boolean;
}

export const defaultLintConfig: LintConfig = { skip: [], experimental: [], error: false };

/** Parses `skip=A,B|all;experimental=A|all;error=true`. Throws `DOCKERFILE_OPTION` without a place. */
export function parseLintConfig(text: string): LintConfig {
  let config = defaultLintConfig;
  if (text.trim() === '') return config;
  for (const part of splitLimited(text.trim(), ';', 3)) {
    const equals = part.indexOf('=');
    const key = part.slice(0, Math.max(0, equals)).trim();
    const value = part.slice(equals + 1).trim();
    const list = value === 'all' ? 'all' : value.split(',').map((rule) => rule.trim());
    if (key === 'skip') config = { ...config, skip: list };
    else if (key === 'experimental') config = { ...config, experimental: list };
    else if (key === 'error' && parseBool(value) !== undefined)
      config = { ...config, error: parseBool(value) === true };
    else
      throw dockerfileError('DOCKERFILE_OPTION', `failed to parse check options: invalid check option "${part}"`, {
        remedy: 'Write skip=RuleName,…, experimental=RuleName,… or error=true, separated by ";".',
      });
  }
  return config;
}

/** Reports lint warnings. `forComments` gives one that heeds the `check=` of the comments above an instruction. */
export class Linter {
  readonly #config: LintConfig;
  readonly #places: Places;
  readonly #warn: (warning: Warning) => void;
  readonly #reported: Set<string>;

  constructor(config: LintConfig, places: Places, warn: (warning: Warning) => void, reported: Set<string> = new Set()) {
    this.#config = config;
    this.#places = places;
    this.#warn = warn;
    this.#reported = reported;
  }

  report(rule: RuleName, range: Range, message: string): void {
    const { about, page, experimental = false }: Rule = lintRules[rule];
    const listed = experimental ? this.#config.experimental : this.#config.skip;
    if ((listed === 'all' || listed.includes(rule)) !== experimental) return;
    const place = this.#places.place(range);
    // The plan is made twice where the build context has to be narrowed; each remark is made once.
    const identity = `${rule} ${place.line} ${place.column ?? 0} ${message}`;
    if (this.#reported.has(identity)) return;
    this.#reported.add(identity);
    const url = page === undefined ? undefined : `https://docs.docker.com/go/dockerfile/rule/${page}/`;
    this.#warn({ code: rule, message, detail: about, url, place });
  }

  /** One that leaves a rule out. */
  without(rule: RuleName): Linter {
    const { skip } = this.#config;
    const config = { ...this.#config, skip: both(skip, [rule]) };
    return new Linter(config, this.#places, this.#warn, this.#reported);
  }

  forComments(comments: readonly string[]): Linter {
    for (const comment of comments) {
      const match = /^check[\t\n\f\r ]*=[\t\n\f\r ]*([^ ]+)/i.exec(comment);
      if (match === null) continue;
      try {
        const own = parseLintConfig(match[1] ?? '');
        const config = {
          skip: both(this.#config.skip, own.skip),
          experimental: both(this.#config.experimental, own.experimental),
          error: this.#config.error,
        };
        return new Linter(config, this.#places, this.#warn, this.#reported);
      } catch {
        return this;
      }
    }
    return this;
  }

  /** Throws `DOCKERFILE_LINT` when warnings are to fail the build and there were any. */
  finish(): void {
    if (!this.#config.error || this.#reported.size === 0) return;
    const rules = [...new Set([...this.#reported].map((identity) => identity.slice(0, identity.indexOf(' '))))].sort();
    throw dockerfileError('DOCKERFILE_LINT', `lint violation found for rules: ${rules.join(', ')}`, {
      remedy: 'Heed the warnings, or drop "error=true" from the check options.',
    });
  }
}

function both(a: LintConfig['skip'], b: LintConfig['skip']): LintConfig['skip'] {
  return a === 'all' || b === 'all' ? 'all' : [...a, ...b];
}

function splitLimited(text: string, separator: string, limit: number): readonly string[] {
  const parts = text.split(separator);
  return parts.length <= limit ? parts : [...parts.slice(0, limit - 1), parts.slice(limit - 1).join(separator)];
}
