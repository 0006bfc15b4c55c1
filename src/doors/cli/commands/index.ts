import type { CliCommand } from '../program.ts';

/** A command of the table: what the root help says of it, and what loads it. */
export interface CommandEntry {
  readonly name: string;
  readonly aliases?: readonly string[] | undefined;
  readonly group: 'Build' | 'Images' | 'Containers' | 'Registries' | 'Buildpacks' | 'Bases' | 'This machine';
  readonly summary: string;
  readonly hidden?: boolean | undefined;
  readonly load: () => Promise<{ readonly command: CliCommand }>;
}

/** Every command, in the order of the root help. */
export const COMMANDS: readonly CommandEntry[] = [
  { name: 'build', group: 'Build', summary: 'build an image from a Dockerfile', load: () => import('./build.ts') },
  {
    name: 'bake',
    group: 'Build',
    summary: 'build the targets of bake and compose files',
    load: () => import('./bake.ts'),
  },
  {
    name: 'check',
    group: 'Build',
    summary: 'say what could be better in a Dockerfile',
    load: () => import('./check.ts'),
  },
  {
    name: 'detect',
    group: 'Build',
    summary: 'say which buildpacks would build an application',
    load: () => import('./detect.ts'),
  },
  {
    name: 'test',
    group: 'Build',
    summary: 'test an application with buildpacks',
    load: () => import('./test.ts'),
  },
  {
    name: 'node',
    group: 'Build',
    summary: 'name the daemons that --on builds on',
    load: () => import('./node.ts'),
  },
  {
    name: 'explain',
    group: 'Build',
    summary: 'say why each step of the last build ran, or was found',
    load: () => import('./explain.ts'),
  },
  {
    name: 'executor',
    group: 'Build',
    summary: "build with kaniko's command line",
    load: () => import('./executor.ts'),
  },
  {
    name: 'warmer',
    group: 'Build',
    summary: "bring base images into a folder, with kaniko's command line",
    load: () => import('./warmer.ts'),
  },
  { name: 'images', group: 'Images', summary: 'list the images of the local store', load: () => import('./images.ts') },
  {
    name: 'inspect',
    group: 'Images',
    summary: 'show all that is known of a container or image',
    load: () => import('./inspect.ts'),
  },
  {
    name: 'history',
    group: 'Images',
    summary: 'show how an image was made, layer by layer',
    load: () => import('./history.ts'),
  },
  {
    name: 'diff',
    group: 'Images',
    summary: 'say what differs between two images',
    load: () => import('./diff.ts'),
  },
  { name: 'tag', group: 'Images', summary: 'give an image one more name', load: () => import('./tag.ts') },
  {
    name: 'rm',
    group: 'Images',
    summary: 'remove containers, and names of images',
    load: () => import('./rm.ts'),
  },
  {
    name: 'rmi',
    group: 'Images',
    summary: 'remove names of images, and images without one',
    load: () => import('./rmi.ts'),
  },
  { name: 'save', group: 'Images', summary: 'write images to an archive', load: () => import('./save.ts') },
  { name: 'load', group: 'Images', summary: 'read images from an archive or layout', load: () => import('./load.ts') },
  { name: 'run', group: 'Containers', summary: 'run an image as a container', load: () => import('./run.ts') },
  { name: 'ps', group: 'Containers', summary: 'list containers', load: () => import('./ps.ts') },
  { name: 'logs', group: 'Containers', summary: 'show what a container has said', load: () => import('./logs.ts') },
  { name: 'exec', group: 'Containers', summary: 'run a command in a container', load: () => import('./exec.ts') },
  {
    name: 'attach',
    group: 'Containers',
    summary: 'show what a container says from now on',
    load: () => import('./attach.ts'),
  },
  { name: 'stop', group: 'Containers', summary: 'ask containers to end', load: () => import('./stop.ts') },
  { name: 'start', group: 'Containers', summary: 'start containers again', load: () => import('./start.ts') },
  { name: 'restart', group: 'Containers', summary: 'stop and start containers', load: () => import('./restart.ts') },
  { name: 'kill', group: 'Containers', summary: 'send a signal to containers', load: () => import('./kill.ts') },
  { name: 'wait', group: 'Containers', summary: 'wait for the end of containers', load: () => import('./wait.ts') },
  {
    name: 'port',
    group: 'Containers',
    summary: 'say where the ports of a container are reached',
    load: () => import('./port.ts'),
  },
  {
    name: 'container',
    group: 'Containers',
    summary: 'all that is done with containers',
    load: () => import('./container.ts'),
  },
  {
    name: 'volume',
    group: 'Containers',
    summary: 'folders that outlive containers',
    load: () => import('./volume.ts'),
  },
  { name: 'pull', group: 'Registries', summary: 'bring an image from a registry', load: () => import('./pull.ts') },
  { name: 'push', group: 'Registries', summary: 'bring an image to a registry', load: () => import('./push.ts') },
  {
    name: 'copy',
    group: 'Registries',
    summary: 'copy an image from anywhere to anywhere',
    load: () => import('./copy.ts'),
  },
  { name: 'login', group: 'Registries', summary: 'log in to a registry', load: () => import('./login.ts') },
  { name: 'logout', group: 'Registries', summary: 'forget the login of a registry', load: () => import('./logout.ts') },
  {
    name: 'manifest',
    group: 'Registries',
    summary: 'make image indexes by hand',
    load: () => import('./manifest.ts'),
  },
  {
    name: 'pack',
    group: 'Build',
    summary: "build with pack's command line",
    load: () => import('./pack.ts'),
  },
  {
    name: 'rebase',
    group: 'Buildpacks',
    summary: 'put an app image on another run image',
    load: () => import('./rebase.ts'),
  },
  {
    name: 'sbom',
    group: 'Buildpacks',
    summary: 'write the bills of materials of an app image',
    load: () => import('./sbom.ts'),
  },
  { name: 'builder', group: 'Buildpacks', summary: 'make and show builders', load: () => import('./builder.ts') },
  {
    name: 'buildpack',
    group: 'Buildpacks',
    summary: 'make, package, show and publish buildpacks',
    load: () => import('./buildpack.ts'),
  },
  {
    name: 'extension',
    group: 'Buildpacks',
    summary: 'make, package and show image extensions',
    load: () => import('./extension.ts'),
  },
  {
    name: 'config',
    group: 'Buildpacks',
    summary: 'what is set for building with buildpacks',
    load: () => import('./config.ts'),
  },
  {
    name: 'lifecycle',
    group: 'Buildpacks',
    summary: "run a phase of a buildpacks build on this container's folders",
    load: () => import('./lifecycle.ts'),
  },
  { name: 'base', group: 'Bases', summary: 'make base images from Debian packages', load: () => import('./base.ts') },
  {
    name: 'daemon',
    group: 'This machine',
    summary: "serve builds over BuildKit's API, for docker buildx and others",
    load: () => import('./daemon.ts'),
  },
  {
    name: 'prune',
    group: 'This machine',
    summary: 'give back space that the store need not hold',
    load: () => import('./prune.ts'),
  },
  {
    name: 'doctor',
    group: 'This machine',
    summary: 'say what this machine offers, and what is lost without the rest',
    load: () => import('./doctor.ts'),
  },
  {
    name: 'completion',
    group: 'This machine',
    summary: 'print a completion script for bash, zsh or fish',
    load: () => import('./completion.ts'),
  },
  { name: 'version', group: 'This machine', summary: 'show the version', load: () => import('./version.ts') },
];
