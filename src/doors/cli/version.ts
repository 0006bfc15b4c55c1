import { readFileSync } from 'node:fs';

/** Put in when the program is bundled; absent when it is run from its sources. */
declare const STRAKE_VERSION: string | undefined;
declare const STRAKE_COMMIT: string | undefined;

export interface Version {
  readonly version: string;
  /** Of the sources, abbreviated; absent where that was not known. */
  readonly commit?: string | undefined;
}

export function ownVersion(): Version {
  if (typeof STRAKE_VERSION === 'string')
    return {
      version: STRAKE_VERSION,
      commit: typeof STRAKE_COMMIT === 'string' && STRAKE_COMMIT !== '' ? STRAKE_COMMIT : undefined,
    };
  const manifest = JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8')) as {
    version: string;
  };
  return { version: manifest.version };
}

/** `strake 0.1.0 (1a2b3c4)`. */
export function versionLine({ version, commit }: Version = ownVersion()): string {
  return `strake ${version}${commit === undefined ? '' : ` (${commit})`}`;
}
