/** Debian packages that the tests use: real tools to test against, and what a machine needs to run steps. Package -> a file that it brings. */
import { existsSync } from 'node:fs';
import { spawn } from 'node:child_process';

const PACKAGES: Readonly<Record<string, string>> = {
  'apache2-utils': '/usr/bin/htpasswd',
  buildah: '/usr/bin/buildah',
  'busybox-static': '/bin/busybox',
  bzip2: '/bin/bzip2',
  containerd: '/usr/bin/containerd',
  crun: '/usr/bin/crun',
  'debian-archive-keyring': '/usr/share/keyrings/debian-archive-keyring.gpg',
  'docker-registry': '/usr/bin/docker-registry',
  e2fsprogs: '/sbin/mkfs.ext4',
  git: '/usr/bin/git',
  gpgv: '/usr/bin/gpgv',
  iproute2: '/bin/ip',
  'libarchive-tools': '/usr/bin/bsdtar',
  mmdebstrap: '/usr/bin/mmdebstrap',
  openssl: '/usr/bin/openssl',
  'openssh-client': '/usr/bin/ssh-agent',
  passt: '/usr/bin/pasta',
  podman: '/usr/bin/podman',
  'protobuf-compiler': '/usr/bin/protoc',
  python3: '/usr/bin/python3',
  'qemu-user': '/usr/bin/qemu-aarch64',
  runc: '/usr/sbin/runc',
  skopeo: '/usr/bin/skopeo',
  slirp4netns: '/usr/bin/slirp4netns',
  uidmap: '/usr/bin/newuidmap',
  umoci: '/usr/bin/umoci',
  'util-linux': '/usr/bin/unshare',
  'xz-utils': '/usr/bin/xz',
};

/** Only for the tests at full size: chromium with all that it needs is 124 MB to fetch and 414 MB on disk. Without it they are skipped, and say so. */
const FULL_PACKAGES: Readonly<Record<string, string>> = { chromium: '/usr/bin/chromium' };

export function missingPackages(o?: { readonly full?: boolean | undefined }): string[] {
  const wanted = { ...PACKAGES, ...(o?.full === true ? FULL_PACKAGES : {}) };
  return Object.keys(wanted).filter((name) => !existsSync(wanted[name] ?? ''));
}

/** As root on Debian, installs what is missing and says so. Gives what is still missing. */
export async function installPackages(o?: { readonly full?: boolean | undefined }): Promise<string[]> {
  const missing = missingPackages(o);
  if (missing.length === 0) return [];
  const args = ['install', '-y', '--no-install-recommends', ...missing];
  const command = `apt-get ${args.join(' ')}`;
  if (process.getuid?.() !== 0 || !existsSync('/usr/bin/apt-get')) {
    console.log(`These Debian packages are missing, so some tests cannot run. Install them with:\n  sudo ${command}\n`);
    return missing;
  }
  console.log(`Installing the Debian packages that the tests need: ${missing.join(' ')}`);
  await apt(['update', '-qq']);
  const status = await apt(['-qq', ...args]);
  if (status !== 0) console.log(`"${command}" ended with ${status}`);
  return missingPackages(o);
}

function apt(args: readonly string[]): Promise<number | null> {
  const child = spawn('apt-get', args, {
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  return new Promise((resolve) => child.on('close', (status) => resolve(status)));
}
