import { Option, type Command } from 'commander';
import { collectValues } from './parse/values.ts';
import { groundOf, GROUNDS } from './settings.ts';

/** Where processes run. */
export function groundOption(about: string): Option {
  return new Option(
    '--ground <name>',
    `${about}; in-place and chroot isolate nothing; containerd takes [,address=SOCKET][,namespace=NAME]`,
  )
    .choices(GROUNDS)
    .argParser(groundOf);
}

/** Flags of commands that speak to registries. */
export function registryOptions(command: Command): Command {
  return command.option(
    '--insecure-registry <host>',
    'speak to this registry without TLS, or without trust in its certificate',
    collectValues,
    [],
  );
}

/** Flags of commands that build on daemons elsewhere. */
export function remoteOptions(command: Command): Command {
  return tlsOptions(
    command.option('--on <where>', 'build on a daemon: buildkit+unix://…, docker://, or a node; several by commas'),
  );
}

/** What TLS to a daemon needs. */
export function tlsOptions(command: Command): Command {
  return command
    .option('--tls-ca <file>', "the authority of a daemon's certificate (PEM)")
    .option('--tls-cert <file>', 'the certificate that it is shown')
    .option('--tls-key <file>', 'the key of that certificate')
    .option('--tls-server-name <name>', 'the name that its certificate has');
}
