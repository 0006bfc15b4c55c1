import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { scaffold, type ModuleKind } from '../../../frontend/buildpack/index.ts';
import { hostPlatform } from '../../../image/index.ts';
import type { CliContext } from '../command.ts';
import { targetsOfFlags } from './flag-values.ts';

export interface NewFlags {
  readonly api: string;
  readonly path?: string;
  readonly version: string;
  readonly stacks?: readonly string[];
  readonly targets?: readonly string[];
}

/** `strake buildpack new`, `strake extension new`. */
export function newModule(id: string, flags: NewFlags, { io, kind }: CliContext & { readonly kind: ModuleKind }): void {
  const host = hostPlatform(process);
  const given = targetsOfFlags(flags.targets ?? []);
  const stacks = flags.stacks ?? [];
  const files = scaffold({
    kind,
    id,
    version: flags.version,
    api: flags.api,
    targets:
      given.length > 0 || stacks.length > 0
        ? given
        : [{ os: host.os, arch: host.architecture, variant: '', distros: [] }],
    stacks,
  });
  const folder = resolve(io.cwd, flags.path ?? (id.split('/').at(-1) as string));
  for (const { path, mode, text } of files) {
    const target = join(folder, path);
    if (existsSync(target)) {
      io.stdout.write(`there    ${path}\n`);
      continue;
    }
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(target, text, { mode });
    io.stdout.write(`created  ${path}\n`);
  }
}
