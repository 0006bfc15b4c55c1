import { apiAtLeast, type ApiVersion } from '../../frontend/buildpack/index.ts';
import type { Flag, PhaseName } from './flag.ts';

const LETTERS: Readonly<Record<string, PhaseName>> = {
  A: 'analyzer',
  D: 'detector',
  R: 'restorer',
  X: 'extender',
  B: 'builder',
  E: 'exporter',
  C: 'creator',
  Z: 'rebaser',
};

const flag = (
  name: string,
  phases: string,
  about: string,
  more: Partial<Omit<Flag, 'name' | 'phases' | 'about'>> = {},
): Flag => ({ name, kind: 'text', about, phases: phases.split('').map((letter) => LETTERS[letter]!), ...more });

/** Every input of every phase (platform.md, Usage of each; lifecycle cmd/lifecycle/cli/flags.go). Help, parsing and docs are made of it. */
export const FLAGS: readonly Flag[] = [
  flag('analyzed', 'ADRXBE', 'path of analyzed.toml', {
    env: 'CNB_ANALYZED_PATH',
    fallback: '<layers>/analyzed.toml',
    since: { detector: '0.10', builder: '0.10' },
  }),
  flag('app', 'DXBEC', 'folder of the app', { env: 'CNB_APP_DIR', fallback: '/workspace' }),
  flag('build-config', 'DBC', "folder of the operator's variables", {
    env: 'CNB_BUILD_CONFIG_DIR',
    fallback: '/cnb/build-config',
    since: '0.11',
  }),
  flag('build-image', 'R', 'image that extensions are to extend', { env: 'CNB_BUILD_IMAGE', since: '0.10' }),
  flag('buildpacks', 'DXBC', 'folder of buildpacks', { env: 'CNB_BUILDPACKS_DIR', fallback: '/cnb/buildpacks' }),
  flag('cache-dir', 'REC', 'folder of the cache', { env: 'CNB_CACHE_DIR' }),
  flag('cache-image', 'AREC', 'image in a registry that is the cache', { env: 'CNB_CACHE_IMAGE' }),
  flag('daemon', 'ARECZ', 'work on the images of a Docker daemon', { kind: 'bool', env: 'CNB_USE_DAEMON' }),
  flag('extended', 'XE', 'folder of what extensions extended', {
    env: 'CNB_EXTENDED_DIR',
    fallback: '<layers>/extended',
    since: '0.12',
  }),
  flag('extensions', 'D', 'folder of extensions', {
    env: 'CNB_EXTENSIONS_DIR',
    fallback: '/cnb/extensions',
    since: '0.10',
  }),
  flag('force', 'Z', 'also on a run image that the app image does not say it fits', {
    kind: 'bool',
    env: 'CNB_FORCE_REBASE',
    since: '0.12',
  }),
  flag('generated', 'DRX', 'folder of what extensions generated', {
    env: 'CNB_GENERATED_DIR',
    fallback: '<layers>/generated',
    since: '0.10',
  }),
  flag('gid', 'ARXECZ', 'group of the build', { env: 'CNB_GROUP_ID' }),
  flag('group', 'DRXBE', 'path of group.toml', { env: 'CNB_GROUP_PATH', fallback: '<layers>/group.toml' }),
  flag('image', 'EZ', 'the run image, by its old name', {}),
  flag('insecure-registry', 'ARECZ', 'registry without TLS, or with a certificate that nobody vouches for', {
    kind: 'list',
    env: 'CNB_INSECURE_REGISTRIES',
    since: '0.13',
  }),
  flag('kaniko-cache-ttl', 'X', 'how long cached layers of extensions are used', {
    env: 'CNB_KANIKO_CACHE_TTL',
    fallback: '336h',
  }),
  flag('kind', 'X', 'which image is extended: build or run', {
    env: 'CNB_EXTEND_KIND',
    fallback: 'build',
    since: '0.12',
  }),
  flag('launch-cache', 'AEC', 'folder of launch layers, for a daemon', {
    env: 'CNB_LAUNCH_CACHE_DIR',
    since: { analyzer: '0.9' },
  }),
  flag('launcher', 'EC', 'path of the launcher', { fallback: '/cnb/lifecycle/launcher' }),
  flag('launcher-sbom', 'EC', "folder of the launcher's SBOM files", { fallback: '/cnb/lifecycle', since: '0.11' }),
  flag('layers', 'ADRXBEC', 'folder of layers', { env: 'CNB_LAYERS_DIR', fallback: '/layers' }),
  flag('layout', 'AREC', 'work on images in OCI layouts', { kind: 'bool', env: 'CNB_USE_LAYOUT', since: '0.12' }),
  flag('layout-dir', 'AREC', 'folder of OCI layouts', { env: 'CNB_LAYOUT_DIR', since: '0.12' }),
  flag('order', 'DC', 'path of order.toml', { env: 'CNB_ORDER_PATH', fallback: '<layers>/order.toml' }),
  flag('parallel', 'EC', 'write image and cache at once', {
    kind: 'bool',
    env: 'CNB_PARALLEL_EXPORT',
    since: '0.13',
  }),
  flag('plan', 'DXB', 'path of plan.toml', { env: 'CNB_PLAN_PATH', fallback: '<layers>/plan.toml' }),
  flag('platform', 'DXBC', "folder of the platform's files", { env: 'CNB_PLATFORM_DIR', fallback: '/platform' }),
  flag('previous-image', 'ACZ', 'image of the build before (default: the image)', {
    env: 'CNB_PREVIOUS_IMAGE',
    since: { rebaser: '0.11' },
  }),
  flag('process-type', 'EC', 'process that runs by default', { env: 'CNB_PROCESS_TYPE' }),
  flag('project-metadata', 'EC', 'path of project-metadata.toml', {
    env: 'CNB_PROJECT_METADATA_PATH',
    fallback: '<layers>/project-metadata.toml',
  }),
  flag('report', 'EC', 'path of report.toml', { env: 'CNB_REPORT_PATH', fallback: '<layers>/report.toml' }),
  flag('report', 'Z', 'path of report.toml', { env: 'CNB_REPORT_PATH', fallback: '/layers/report.toml' }),
  flag('run', 'ADREC', 'path of run.toml', {
    env: 'CNB_RUN_PATH',
    fallback: '/cnb/run.toml',
    since: { analyzer: '0.12', detector: '0.12', restorer: '0.14', exporter: '0.12', creator: '0.12' },
  }),
  flag('run-image', 'AECZ', 'the run image', { env: 'CNB_RUN_IMAGE' }),
  flag('skip-layers', 'AR', 'restore nothing of layers', {
    kind: 'bool',
    env: 'CNB_SKIP_LAYERS',
    since: { analyzer: '0.9' },
  }),
  flag('skip-restore', 'C', 'restore nothing', { kind: 'bool', env: 'CNB_SKIP_RESTORE' }),
  flag('stack', 'AEC', 'path of stack.toml', {
    env: 'CNB_STACK_PATH',
    fallback: '/cnb/stack.toml',
    until: '0.12',
  }),
  flag('system', 'DC', 'path of system.toml', {
    env: 'CNB_SYSTEM_PATH',
    fallback: '/cnb/system.toml',
    since: '0.15',
  }),
  flag('tag', 'AC', 'one more name for the image', { kind: 'list' }),
  flag('uid', 'ARXECZ', 'user of the build', { env: 'CNB_USER_ID' }),
  flag('log-level', 'ADRXBECZ', 'debug, info, warn or error', { env: 'CNB_LOG_LEVEL', fallback: 'info' }),
  flag('no-color', 'ADRXBECZ', 'no colors', { kind: 'bool', env: 'CNB_NO_COLOR' }),
  flag('version', 'ADRXBECZ', 'show the version', { kind: 'bool' }),
];

/** Those of a phase, with a Platform API. */
export function flagsOf(phase: PhaseName, api: ApiVersion): readonly Flag[] {
  return FLAGS.filter((one) => {
    const since = typeof one.since === 'string' ? one.since : one.since?.[phase];
    return (
      one.phases.includes(phase) &&
      (since === undefined || apiAtLeast(api, since)) &&
      (one.until === undefined || !apiAtLeast(api, one.until))
    );
  });
}
