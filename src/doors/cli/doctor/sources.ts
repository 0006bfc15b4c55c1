import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { findTool, messageOf, redactUrl, type Wait } from '../../../base/index.ts';
import { daemonSockets } from '../../../engine/index.ts';
import { readAptConfig } from '../../../packages/index.ts';
import type { Io } from '../io.ts';
import type { Settings } from '../settings.ts';
import type { Finding, Section } from './finding.ts';

const KEYRINGS = ['/usr/share/keyrings/debian-archive-keyring.gpg', '/usr/share/keyrings/debian-archive-keyring.pgp'];

/** Where bases come from: packages and registries. */
export async function sourceSection(settings: Settings, io: Io, w: Wait): Promise<Section> {
  return {
    title: 'Bases, registries, daemons',
    findings: [await packageSource(settings, w), keyring(settings), ...logins(io), ...proxies(io), daemons(io)],
  };
}

async function packageSource(settings: Settings, w: Wait): Promise<Finding> {
  const name = 'packages';
  if (settings.mirror !== undefined)
    return { name, state: 'ok', text: `from ${redactUrl(settings.mirror)} (--mirror)` };
  const lost = 'Bases from packages need --mirror.';
  try {
    const { sources } = await readAptConfig(w);
    const uris = new Set(sources.flatMap(({ uris }) => uris).map(redactUrl));
    if (uris.size === 0) return { name, state: 'lacking', text: 'apt has no sources here', lost };
    return { name, state: 'ok', text: `from ${[...uris].join(', ')} (apt's configuration)` };
  } catch (error) {
    return { name, state: 'lacking', text: messageOf(error), lost };
  }
}

function keyring(settings: Settings): Finding {
  const name = 'keyring';
  const found = [...(settings.keyring === undefined ? [] : [settings.keyring]), ...KEYRINGS].find((path) =>
    existsSync(path),
  );
  if (found !== undefined) return { name, state: 'ok', text: found };
  return {
    name,
    state: 'lacking',
    text: "the keys of Debian's archive are not here",
    lost: 'Bases from packages can be verified only with --keyring, or by what apt trusts.',
    remedy: 'Install debian-archive-keyring, or name a file with --keyring.',
  };
}

/** Files that hold logins and the helpers they name; never what is in them. */
function logins({ env, home }: Io): Finding[] {
  const runtime = env['XDG_RUNTIME_DIR'];
  const files = [
    join(env['DOCKER_CONFIG'] || join(home, '.docker'), 'config.json'),
    ...(env['REGISTRY_AUTH_FILE'] ? [env['REGISTRY_AUTH_FILE']] : []),
    ...(runtime === undefined ? [] : [join(runtime, 'containers/auth.json')]),
    join(env['XDG_CONFIG_HOME'] || join(home, '.config'), 'containers/auth.json'),
  ].filter((path) => existsSync(path));
  const findings: Finding[] = [];
  for (const path of files) {
    try {
      const {
        auths = {},
        credsStore,
        credHelpers = {},
      } = JSON.parse(readFileSync(path, 'utf8')) as {
        auths?: Record<string, unknown>;
        credsStore?: string;
        credHelpers?: Record<string, string>;
      };
      const helpers = new Set([...(credsStore ? [credsStore] : []), ...Object.values(credHelpers)]);
      const known = [...Object.keys(auths), ...Object.keys(credHelpers)];
      findings.push({
        name: 'logins',
        state: 'ok',
        text: `${path}: ${known.length === 0 ? 'none' : [...new Set(known)].join(', ')}`,
      });
      for (const helper of helpers)
        if (findTool(`docker-credential-${helper}`) === undefined)
          findings.push({
            name: 'helper',
            state: 'lacking',
            text: `docker-credential-${helper} is not installed`,
            lost: `Logins that "${path}" leaves to it cannot be used.`,
            remedy: 'Install it, or take it out of that file.',
          });
    } catch (error) {
      findings.push({
        name: 'logins',
        state: 'lacking',
        text: `${path}: ${messageOf(error).split('\n')[0]}`,
        lost: 'Its logins cannot be used.',
        remedy: 'Mend the file, or move it away.',
      });
    }
  }
  if (findings.length === 0) findings.push({ name: 'logins', state: 'ok', text: 'none; public images need none' });
  const certificates = ['/etc/docker/certs.d', '/etc/containers/certs.d']
    .filter((path) => existsSync(path))
    .flatMap((path) => readdirSync(path).map((host) => `${path}/${host}`));
  if (certificates.length > 0) findings.push({ name: 'certificates', state: 'ok', text: certificates.join(', ') });
  return findings;
}

function proxies({ env }: Io): Finding[] {
  const found = ['HTTP_PROXY', 'HTTPS_PROXY'].flatMap((name) => {
    const value = env[name] || env[name.toLowerCase()];
    return value ? [`${name}=${redactUrl(value)}`] : [];
  });
  return found.length === 0 ? [] : [{ name: 'proxy', state: 'ok', text: found.join(' ') }];
}

function daemons({ env }: Io): Finding {
  const found = daemonSockets(env).filter((path) => existsSync(path));
  if (found.length > 0) return { name: 'daemon', state: 'ok', text: found.join(', ') };
  return { name: 'daemon', state: 'ok', text: 'no Docker or Podman socket; only --load would need one' };
}
