import { accessSync, constants, existsSync, readFileSync, statfsSync } from 'node:fs';
import { release } from 'node:os';
import { currentUser, findTool, runTool, type Wait } from '../../../base/index.ts';
import { findIdMaps } from '../../../worker/index.ts';
import type { Finding, Section } from './finding.ts';

const CGROUP2 = 0x63677270;
const TMPFS = 0x01021994;

/** Node, kernel, namespaces, cgroups: what a build stands on. */
export async function machineSection(w: Wait): Promise<Section> {
  const { name = 'without a name', uid } = currentUser();
  return {
    title: 'Machine',
    findings: [
      { name: 'Node', state: 'ok', text: `${process.version} (${process.execPath})` },
      { name: 'kernel', state: 'ok', text: `Linux ${release()} ${process.arch}` },
      { name: 'user', state: 'ok', text: `${name} (${uid})${uid === 0 ? ', with all rights' : ''}` },
      ...(uid === 0 ? [] : [await userNamespaces(w), subordinateIds()]),
      cgroups(),
    ],
  };
}

async function userNamespaces(w: Wait): Promise<Finding> {
  const name = 'user namespaces';
  const lost = 'RUN does not work for this user.';
  const unshare = findTool('unshare');
  if (unshare === undefined)
    return { name, state: 'broken', text: 'unshare is not installed', lost, remedy: 'Install util-linux.' };
  const { code, stderr } = await runTool(unshare, ['--user', '--map-root-user', 'true'], { ...w, check: false });
  if (code === 0) return { name, state: 'ok', text: 'this user may make them' };
  const restricted = read('/proc/sys/kernel/apparmor_restrict_unprivileged_userns').trim() === '1';
  return {
    name,
    state: 'broken',
    text: stderr.trim() || `unshare ended with ${code}`,
    lost,
    remedy: restricted
      ? 'AppArmor forbids them: as root, sysctl kernel.apparmor_restrict_unprivileged_userns=0, or a profile for this program.'
      : 'As root: sysctl user.max_user_namespaces=15000 kernel.unprivileged_userns_clone=1.',
  };
}

function subordinateIds(): Finding {
  const name = 'subordinate ids';
  const found = findIdMaps();
  if (!('reason' in found)) {
    const count = found.uids.slice(1).reduce((sum, range) => sum + range.count, 0);
    return { name, state: 'ok', text: `${count} beside this user's own` };
  }
  return {
    name,
    state: 'lacking',
    text: found.reason,
    lost: "Steps have one id: what sets another owner or user fails, and bases are made without their packages' scripts.",
    remedy: `As root: apt-get install uidmap; usermod --add-subuids 100000-165535 --add-subgids 100000-165535 ${currentUser().name ?? 'USER'}.`,
  };
}

function cgroups(): Finding {
  const name = 'cgroups';
  const type = fileSystem('/sys/fs/cgroup');
  if (type === CGROUP2) return { name, state: 'ok', text: 'version 2' };
  if (type === TMPFS)
    return {
      name,
      state: 'ok',
      text: fileSystem('/sys/fs/cgroup/unified') === CGROUP2 ? 'version 1, with 2 beside it (hybrid)' : 'version 1',
    };
  return { name, state: 'lacking', text: 'not mounted', lost: 'Steps have no limits and no rules for devices.' };
}

const TOOLS: readonly (readonly [name: string, need: string, packages: string])[] = [
  ['git', 'A build of a git repository does not work.', 'git'],
  ['gpgv', 'Bases from packages cannot be verified.', 'gpgv'],
  ['xz', 'What is compressed by xz (most Debian packages, some archives) cannot be read.', 'xz-utils'],
  ['unshare', 'There is no way to run steps but as root with crun or runc.', 'util-linux'],
  ['setpriv', 'Without crun and runc there is no way to run steps.', 'util-linux'],
];

/** Programs that strake calls, where they are. */
export function toolSection(): Section {
  const findings = TOOLS.map(([name, lost, packages]): Finding => {
    const path = findTool(name);
    return path === undefined
      ? { name, state: 'lacking', text: 'not installed', lost, remedy: `Install ${packages}.` }
      : { name, state: 'ok', text: path };
  });
  return { title: 'Programs', findings };
}

/** What a step's network comes to; `used` is what the executors found to work. */
export function networkFinding(used: string | undefined): Finding {
  const name = 'network';
  const cni = cniConfiguration();
  const found = [
    ...(cni === undefined ? [] : [`CNI (${cni})`]),
    ...['pasta', 'slirp4netns'].flatMap((tool) => findTool(tool) ?? []),
  ];
  if (used !== undefined && used !== 'host') return { name, state: 'ok', text: `by ${used}` };
  return {
    name,
    state: 'lacking',
    text:
      found.length === 0
        ? 'neither CNI nor pasta nor slirp4netns'
        : `${found.join(', ')}: installed, but without effect for this user`,
    lost: "Steps use the machine's own network, where they reach what listens on its loopback.",
    remedy: found.length === 0 ? 'Install passt or slirp4netns.' : tunRemedy(),
  };
}

function tunRemedy(): string {
  try {
    accessSync('/dev/net/tun', constants.R_OK | constants.W_OK);
    return 'A default route is needed, too.';
  } catch {
    return existsSync('/dev/net/tun')
      ? 'Give this user /dev/net/tun: as root, chmod 666 /dev/net/tun.'
      : 'As root: modprobe tun.';
  }
}

function cniConfiguration(): string | undefined {
  const path = '/etc/buildkit/cni.json';
  return existsSync(path) ? path : undefined;
}

function fileSystem(path: string): number | undefined {
  try {
    return statfsSync(path).type;
  } catch {
    return undefined;
  }
}

function read(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return '';
  }
}
