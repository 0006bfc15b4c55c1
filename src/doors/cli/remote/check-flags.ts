import { usage } from '../errors.ts';

/** What only the engine of this machine can do. */
const LOCAL: Readonly<Record<string, string>> = {
  executor: '--executor',
  ground: '--ground',
  sbomOutputDir: '--sbom-output-dir',
};

/** Throws `USAGE` for flags that say how this machine builds, where a daemon does. */
export function checkRemoteFlags(flags: object & { readonly onError?: string | undefined }): void {
  const given = flags as Readonly<Record<string, unknown>>;
  const found = Object.keys(LOCAL).find((key) => given[key] !== undefined);
  const flag = found === undefined ? undefined : LOCAL[found];
  if (flag !== undefined)
    throw usage(
      `read ${flag}: it is about builds of this machine, and --on names another`,
      `Leave out ${flag} or --on.`,
    );
  if (flags.onError === 'shell')
    throw usage('read --on-error=shell: a step on another machine has no shell here', 'Leave out --on-error or --on.');
}
