import { capabilityNamed, type ProcessLimits, type ProcessPrivileges } from '../../../exec/index.ts';
import type { RunOverrides } from '../../../machine/index.ts';
import { usage } from '../errors.ts';
import { booleanOf, bytesOf } from '../parse/values.ts';
import type { RunFlags } from './flags.ts';

/** What containers may take and do, from the flags; their names and forms are those of "docker run". */
export function resourcesOf(
  flags: RunFlags,
): Pick<RunOverrides, 'limits' | 'privileges' | 'privileged' | 'ulimits' | 'shmSize'> {
  return {
    limits: limitsOf(flags),
    privileges: privilegesOf(flags),
    privileged: flags.privileged === true ? true : undefined,
    ulimits: flags.ulimit === undefined || flags.ulimit.length === 0 ? undefined : flags.ulimit.map(ulimitOf),
    shmSize: flags.shmSize === undefined ? undefined : bytesOf(flags.shmSize, '--shm-size'),
  };
}

/** Below it a runtime cannot even start (moby, "minimum memory limit"). */
const LEAST_MEMORY = 6 << 20;
const PERIOD_US = 100_000;

function limitsOf(flags: RunFlags): ProcessLimits | undefined {
  const memory = flags.memory === undefined ? undefined : bytesOf(flags.memory, '--memory');
  if (memory !== undefined && memory < LEAST_MEMORY)
    throw usage(`read --memory "${flags.memory ?? ''}": less than 6m is too little to start anything`);
  const memorySwap =
    flags.memorySwap === undefined
      ? undefined
      : flags.memorySwap === '-1'
        ? -1
        : bytesOf(flags.memorySwap, '--memory-swap');
  if (memorySwap !== undefined && (memory === undefined || (memorySwap >= 0 && memorySwap < memory)))
    throw usage(
      `read --memory-swap "${flags.memorySwap ?? ''}": it is memory and swap together, and so not less than --memory`,
      'Write for example --memory 512m --memory-swap 1g.',
    );
  const found: ProcessLimits = {
    memory,
    memorySwap,
    cpuShares: flags.cpuShares === undefined ? undefined : wholeOf(flags.cpuShares, '--cpu-shares', 2),
    ...cpusOf(flags.cpus),
    cpusetCpus: flags.cpusetCpus === undefined ? undefined : setOf(flags.cpusetCpus),
    pids:
      flags.pidsLimit === undefined || flags.pidsLimit === '-1' || flags.pidsLimit === '0'
        ? undefined
        : wholeOf(flags.pidsLimit, '--pids-limit', 1),
  };
  return Object.values(found).every((value) => value === undefined) ? undefined : found;
}

function cpusOf(text: string | undefined): Pick<ProcessLimits, 'cpuPeriod' | 'cpuQuota'> {
  if (text === undefined) return {};
  const cpus = /^\d{1,5}(?:\.\d{1,9})?$|^\.\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
  // The kernel takes no quota below a millisecond.
  if (!(cpus >= 0.01)) throw usage(`read --cpus "${text}": it is no number of processors`, 'Write for example 1.5.');
  return { cpuPeriod: PERIOD_US, cpuQuota: Math.round(cpus * PERIOD_US) };
}

function wholeOf(text: string, flag: string, least: number): number {
  const value = /^\d{1,12}$/.test(text) ? Number(text) : Number.NaN;
  if (!(value >= least)) throw usage(`read ${flag} "${text}": it is no number from ${least} on`);
  return value;
}

function setOf(text: string): string {
  if (text.split(',').every((part) => /^\d{1,5}(?:-\d{1,5})?$/.test(part))) return text;
  throw usage(`read --cpuset-cpus "${text}": it is no list of processors`, 'Write for example 0-2,7.');
}

const ULIMITS =
  'as core cpu data fsize locks memlock msgqueue nice nofile nproc rss rtprio rttime sigpending stack'.split(' ');

/** `nofile=1024:2048`; -1 is without end. */
function ulimitOf(text: string): NonNullable<RunOverrides['ulimits']>[number] {
  const [, name = '', soft = '', hard = soft] = /^(\w+)=(-1|\d{1,15})(?::(-1|\d{1,15}))?$/.exec(text) ?? [];
  const bad = (detail: string): Error =>
    usage(`read --ulimit "${text}": ${detail}`, `Write name=soft[:hard]; names are ${ULIMITS.join(', ')}.`);
  if (name === '') throw bad('it has not the form name=soft[:hard]');
  if (!ULIMITS.includes(name)) throw bad(`there is no limit "${name}"`);
  const limit = { name, soft: Number(soft), hard: Number(hard) };
  if (limit.hard >= 0 && (limit.soft < 0 || limit.soft > limit.hard)) throw bad('the soft one is above the hard one');
  return limit;
}

function privilegesOf(flags: RunFlags): ProcessPrivileges | undefined {
  const add = (flags.capAdd ?? []).map((text) => capabilityOf(text, '--cap-add'));
  const drop = (flags.capDrop ?? []).map((text) => capabilityOf(text, '--cap-drop'));
  const options = (flags.securityOpt ?? []).map(securityOption);
  if (add.length + drop.length + options.length === 0) return undefined;
  const found = Object.assign({}, ...options) as ProcessPrivileges;
  return { ...found, ...(add.length > 0 ? { add } : {}), ...(drop.length > 0 ? { drop } : {}) };
}

function capabilityOf(text: string, flag: string): string {
  if (text.toUpperCase() === 'ALL') return 'ALL';
  const name = capabilityNamed(text);
  if (name === undefined)
    throw usage(
      `read ${flag} "${text}": the kernel has no such capability`,
      'See capabilities(7); names as NET_ADMIN or SYS_PTRACE.',
    );
  return name;
}

/** `name=value` or `name:value`; what is about security modules that strake does not use changes nothing. */
function securityOption(text: string): ProcessPrivileges {
  const [, name = text, value] = /^([\w-]+)[=:](.*)$/.exec(text) ?? [];
  if (name === 'no-new-privileges')
    return { noNewPrivileges: value === undefined || booleanOf(value, '--security-opt no-new-privileges') };
  if (name === 'seccomp' && value === 'unconfined') return { noSeccomp: true };
  if (name === 'systempaths' && value === 'unconfined') return { openSystemPaths: true };
  if (name === 'seccomp' && value === 'builtin') return {};
  if ((name === 'apparmor' && value === 'unconfined') || (name === 'label' && value === 'disable')) return {};
  throw usage(
    `read --security-opt "${text}": there is no such option here`,
    'Use no-new-privileges, seccomp=unconfined or systempaths=unconfined.',
  );
}
