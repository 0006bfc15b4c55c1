import { hostPlatform } from '../../../image/index.ts';
import {
  applyPolicies,
  type NamedSource,
  type Source,
  type SourceConstraint,
  type SourcePolicy,
  type SourceRule,
} from '../../../graph/index.ts';
import { SourceOpSchema, type SourceOp as WireSource } from '../../gen/buildkit/ops_pb.ts';
import {
  PolicySchema,
  type AttrMatch,
  type MatchType,
  type Policy,
  type PolicyAction,
} from '../../gen/buildkit/source-policy_pb.ts';
import { create } from '../../grpc/index.ts';
import { decodeSource } from './decode-source.ts';
import { encodeSource } from './encode-source.ts';
import { llbError } from './errors.ts';

/** By their numbers. */
const ACTIONS: readonly SourceRule['action'][] = ['allow', 'deny', 'convert'];
const MATCHES: readonly SourceRule['selector']['match'][] = ['wildcard', 'exact', 'regex'];
const CONDITIONS: readonly SourceConstraint['condition'][] = ['equal', 'not-equal', 'matches'];

/** A policy as it came. Throws `LLB_INVALID` for one that has a rule without a selector or of a kind that is not known. */
export function fromWirePolicy({ rules }: Policy): SourcePolicy {
  return {
    rules: rules.map(({ action, selector, updates }, at) => {
      if (!selector) throw invalid(at, 'it has no selector');
      return {
        action: ACTIONS[action] ?? refuse(at, `action ${String(action)}`),
        selector: {
          identifier: selector.identifier,
          match: MATCHES[selector.matchType] ?? refuse(at, `match type ${String(selector.matchType)}`),
          constraints: selector.constraints.map(({ key, value, condition }) => ({
            key,
            value,
            condition: CONDITIONS[condition] ?? refuse(at, `condition ${String(condition)}`),
          })),
        },
        updates: updates && { identifier: updates.identifier, attrs: { ...updates.attrs } },
      };
    }),
  };
}

/** A policy for the wire. */
export function toWirePolicy({ rules }: SourcePolicy): Policy {
  return create(PolicySchema, {
    version: 1n,
    rules: rules.map(({ action, selector, updates }) => ({
      action: ACTIONS.indexOf(action) as PolicyAction,
      selector: {
        identifier: selector.identifier,
        matchType: MATCHES.indexOf(selector.match) as MatchType,
        constraints: selector.constraints.map(({ key, value, condition }) => ({
          key,
          value,
          condition: CONDITIONS.indexOf(condition) as AttrMatch,
        })),
      },
      ...(updates && { updates: { identifier: updates.identifier, attrs: { ...updates.attrs } } }),
    })),
  });
}

/** What policies make of a source op of the wire. Its identifier is looked at in one form, however it was written. Throws what `applyPolicies` throws. */
export function policedWire(wire: WireSource, policies: readonly SourcePolicy[]): WireSource {
  if (policies.length === 0) return wire;
  const named = { identifier: normalized(wire), attrs: wire.attrs };
  const made = applyPolicies(policies, named);
  if (made === named) return wire;
  return create(SourceOpSchema, { identifier: made.identifier, attrs: attrsFor(made, named) });
}

/** What policies make of a source of ours. Throws what `applyPolicies` throws, and what `decodeSource` throws of what a rule made of it. */
export function policedSource(source: Source, policies: readonly SourcePolicy[]): Source {
  const named = nameOf(source);
  if (!named) return source;
  const made = applyPolicies(policies, named);
  if (made === named) return source;
  const platform = 'platform' in source ? source.platform : hostPlatform(process);
  const wire = create(SourceOpSchema, { identifier: made.identifier, attrs: attrsFor(made, named) });
  const decoded = decodeSource(wire, { platform });
  if (decoded.type !== 'image') return decoded;
  const asked = source.type === 'image' || source.type === 'packages' ? source.pull : undefined;
  const mode = 'image.resolvemode';
  const pull = asked !== undefined && made.attrs[mode] === named.attrs[mode] ? asked : decoded.pull;
  if (decoded.reference.startsWith(PACKAGES)) return { type: 'packages', reference: decoded.reference, platform, pull };
  return { ...decoded, pull, ...(source.type === 'image' && source.layer !== undefined && { layer: source.layer }) };
}

/** Bases of packages are named as images are. */
const PACKAGES = 'packages.local/';

function nameOf(source: Source): NamedSource | undefined {
  switch (source.type) {
    case 'scratch':
      return undefined;
    case 'archive':
      // A context that the asking side sends as an archive.
      return { identifier: 'local://context', attrs: {} };
    case 'packages':
      return { identifier: `docker-image://${source.reference}`, attrs: {} };
    case 'image': {
      const { layer: _, ...whole } = source;
      return encodeSource(whole);
    }
    case 'git': {
      const { identifier, attrs } = encodeSource(source);
      return { identifier: gitIdentifier(identifier), attrs };
    }
    default:
      return encodeSource(source);
  }
}

function normalized(wire: WireSource): string {
  const { identifier } = wire;
  // What is wrong with it is said when it is read.
  try {
    if (identifier.startsWith('docker-image://') || identifier.startsWith('git://')) {
      const source = decodeSource(wire, { platform: hostPlatform(process) });
      return nameOf(source)?.identifier ?? identifier;
    }
  } catch {
    return identifier;
  }
  return identifier;
}

/** `git://host/path`, also of `user@host:path`. */
function gitIdentifier(identifier: string): string {
  const [, host = '', port, path = ''] = /^git:\/\/([^/:#]+)(:\d+(?=\/|$|#))?(.*)$/s.exec(identifier) ?? [];
  return host === '' ? identifier : `git://${host}${port ?? ''}${path.replace(/^:\/*/, '/')}`;
}

const PREFIXES: Readonly<Record<string, string>> = {
  'docker-image': 'image.',
  'oci-layout': 'oci.',
  local: 'local.',
  git: 'git.',
  http: 'http.',
  https: 'http.',
};

/** Attributes of what a source was mean nothing to what it became, where that is of another kind; those that a rule gave stay. */
function attrsFor(made: NamedSource, before: NamedSource): Record<string, string> {
  const prefix = PREFIXES[made.identifier.slice(0, Math.max(0, made.identifier.indexOf('://')))];
  return Object.fromEntries(
    Object.entries(made.attrs).filter(
      ([name, value]) => prefix === undefined || name.startsWith(prefix) || before.attrs[name] !== value,
    ),
  );
}

function refuse(at: number, what: string): never {
  throw invalid(at, `${what} is not known`);
}

function invalid(at: number, what: string): Error {
  return llbError('LLB_INVALID', `read source policy: rules[${at}]: ${what}`, { remedy: 'Repair the policy.' });
}
