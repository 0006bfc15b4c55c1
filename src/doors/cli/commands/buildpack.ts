import { moduleCommands } from '../buildpack/define-module.ts';
import type { CliCommand } from '../command.ts';

export const command: CliCommand = {
  about: 'Makes, packages, shows and publishes Cloud Native Buildpacks.',
  examples: [
    ['strake buildpack new acme/java', 'the files of a buildpack, to begin with'],
    ['strake buildpack package acme-java --path ./java', 'an image of it in the local store'],
    ['strake buildpack package java.cnb --format file --config package.toml', 'a file, with its dependencies in it'],
    [
      'strake buildpack package registry.example/java --publish --target linux/amd64 --target linux/arm64',
      'an index of two platforms',
    ],
    ['strake buildpack inspect java.cnb', 'what is in it'],
  ],
  define: moduleCommands('buildpack'),
};
