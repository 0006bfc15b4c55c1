import { existsSync, readFileSync } from 'node:fs';
import { BUILDPACK_APIS, PLATFORM_APIS } from '../../frontend/buildpack/index.ts';
import { userConfigPath, versionLine, type Io } from '../cli/index.ts';

/** Lines that name no image, registry or mirror. */
const PLAIN = /^\s*(?:type|pull-policy|experimental)\s*=/;

/** `pack report`: versions and configuration, names left out unless they are asked for. */
export function reportText(io: Io, o: { readonly explicit: boolean }): string {
  const path = userConfigPath(io);
  const config = existsSync(path) ? readFileSync(path, 'utf8').trimEnd() : '(no config file found)';
  const shown = config
    .split('\n')
    .map((line) => `  ${o.explicit || PLAIN.test(line) ? line : line.replaceAll(/"[^"]*"/g, '"[REDACTED]"')}`.trimEnd())
    .join('\n');
  return `Pack:
  Version:  ${versionLine()}
  OS/Arch:  ${process.platform}/${process.arch === 'x64' ? 'amd64' : process.arch}

Default Lifecycle Version:  strake's own

Supported Platform APIs:  ${PLATFORM_APIS.join(', ')}

Supported Buildpack APIs:  ${BUILDPACK_APIS.join(', ')}

Config (${path}):
${shown}
`;
}
