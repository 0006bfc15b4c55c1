import { moduleCommands } from '../buildpack/define-module.ts';
import type { CliCommand } from '../command.ts';

export const command: CliCommand = {
  about:
    'Makes, packages and shows image extensions: Dockerfiles that buildpacks builds apply to build and run images.',
  examples: [
    ['strake extension new acme/curl', 'the files of an extension, to begin with'],
    ['strake extension package acme-curl --path ./curl', 'an image of it in the local store'],
    ['strake extension inspect curl.cnb', 'what is in it'],
  ],
  define: moduleCommands('extension'),
};
