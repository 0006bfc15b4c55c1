import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Lazy, messageOf, runTool, type Wait } from '../base/index.ts';
import { execError } from './errors.ts';
import { makeNetns, type Netns } from './netns.ts';
import type { NetworkContext, SharedNetwork } from './network.ts';

/** A CNI network configuration list (CNI specification 1.0, section 1), its plugins all installed. */
export interface CniConfig {
  readonly name: string;
  readonly cniVersion: string;
  readonly plugins: readonly (Readonly<Record<string, unknown>> & { readonly type: string })[];
}

/** Where BuildKit looks. What lies in /etc/cni/net.d is another tool's network (Podman's, a cluster's), which steps are not to join. */
const CONFIG = '/etc/buildkit/cni.json';
const PLUGINS = ['/opt/cni/bin', '/usr/lib/cni', '/usr/libexec/cni'];
const RECORD = 'cni.json';
const LOOPBACK = { type: 'loopback' };

/** The configuration for steps; undefined when there is none or a plugin of it is missing. */
export function findCni(): CniConfig | undefined {
  const config = readConfig(CONFIG);
  return config?.plugins.every((plugin) => pluginPath(plugin.type) !== undefined) ? config : undefined;
}

/** The configuration that a file holds: a list, or one plugin's. */
export function parseCni(text: string): CniConfig | undefined {
  let value: Record<string, unknown> | null;
  try {
    value = JSON.parse(text) as Record<string, unknown> | null;
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null) return undefined;
  const { name, cniVersion, plugins, type } = value;
  if (typeof name !== 'string') return undefined;
  const version = typeof cniVersion === 'string' ? cniVersion : '0.4.0';
  if (Array.isArray(plugins) && plugins.length > 0)
    return { name, cniVersion: version, plugins: plugins as CniConfig['plugins'] };
  if (typeof type !== 'string') return undefined;
  return { name, cniVersion: version, plugins: [{ ...value, type }] };
}

/** One network namespace, attached to the configured network, for all steps. */
export function cniNetwork(c: NetworkContext): SharedNetwork {
  let netns: Netns | undefined;
  let attached: Attachment | undefined;
  const stop = async (): Promise<void> => {
    if (attached) await detach(attached);
    attached = undefined;
    netns?.[Symbol.dispose]();
    netns = undefined;
  };
  const started = new Lazy(async () => {
    const config = findCni();
    if (!config) throw execError('NETWORK_FAILED', 'attach a step to the CNI network: no configuration');
    netns = await makeNetns(c.workspace.run, {});
    const attachment = { config, id: `strake-${c.workspace.id}`, netns: netns.path };
    // Written first, so that `recoverCni` finds what a crash in between leaves.
    writeFileSync(join(c.workspace.folder, RECORD), JSON.stringify(attachment), { mode: 0o600 });
    attached = attachment;
    try {
      const nameservers = await attach(attachment);
      return { path: netns.path, nameservers };
    } catch (error) {
      await stop().catch(() => undefined);
      throw error;
    }
  });
  return {
    start: (w) => started.get(w),
    [Symbol.asyncDispose]: async () => {
      await started.get().catch(() => undefined);
      await stop();
    },
  };
}

/** Gives back the addresses that an executor which is gone held: its folder is given. */
export function recoverCni(folder: string): void {
  let attachment: Attachment;
  try {
    attachment = JSON.parse(readFileSync(join(folder, RECORD), 'utf8')) as Attachment;
  } catch {
    return;
  }
  for (const plugin of attachment.config.plugins.toReversed()) {
    const path = pluginPath(plugin.type);
    if (path !== undefined)
      spawnSync(path, {
        env: environment('DEL', { ...attachment, netns: '' }),
        input: request(attachment.config, plugin),
      });
  }
}

interface Attachment {
  readonly config: CniConfig;
  readonly id: string;
  readonly netns: string;
}

async function attach(a: Attachment, w: Wait = {}): Promise<readonly string[] | undefined> {
  let previous: Record<string, unknown> | undefined;
  // Bringing loopback up is the caller's business in CNI.
  if (pluginPath(LOOPBACK.type) !== undefined) await call('ADD', { ...a, plugin: LOOPBACK, previous }, w);
  for (const plugin of a.config.plugins) previous = await call('ADD', { ...a, plugin, previous }, w);
  const servers = (previous?.['dns'] as { nameservers?: unknown } | undefined)?.nameservers;
  return Array.isArray(servers) && servers.length > 0 ? (servers as string[]) : undefined;
}

async function detach(a: Attachment): Promise<void> {
  for (const plugin of a.config.plugins.toReversed()) await call('DEL', { ...a, plugin, previous: undefined }, {});
}

interface Call extends Attachment {
  readonly plugin: CniConfig['plugins'][number];
  readonly previous: Record<string, unknown> | undefined;
}

async function call(command: 'ADD' | 'DEL', o: Call, w: Wait): Promise<Record<string, unknown> | undefined> {
  const path = pluginPath(o.plugin.type);
  if (path === undefined) throw execError('NETWORK_FAILED', `run the CNI plugin "${o.plugin.type}": not installed`);
  const { code, stdout } = await runTool(path, [], {
    input: Buffer.from(request(o.config, o.plugin, o.previous)),
    env: environment(command, o),
    check: false,
    signal: w.signal,
  });
  const text = stdout.toString().trim();
  if (code !== 0)
    throw execError('NETWORK_FAILED', `run the CNI plugin "${o.plugin.type}" (${command}): ${said(text)}`);
  return text === '' ? undefined : (JSON.parse(text) as Record<string, unknown>);
}

function request(config: CniConfig, plugin: CniConfig['plugins'][number], previous?: Record<string, unknown>): string {
  const { name, cniVersion } = config;
  return JSON.stringify({ ...plugin, name, cniVersion, ...(previous ? { prevResult: previous } : {}) });
}

function environment(command: string, a: Attachment): Record<string, string> {
  return {
    CNI_COMMAND: command,
    CNI_CONTAINERID: a.id,
    CNI_NETNS: a.netns,
    CNI_IFNAME: 'eth0',
    CNI_PATH: PLUGINS.join(':'),
    PATH: '/usr/sbin:/usr/bin:/sbin:/bin',
  };
}

function said(text: string): string {
  try {
    const { msg, details } = JSON.parse(text) as { msg?: string; details?: string };
    return [msg, details].filter(Boolean).join(': ') || text;
  } catch (error) {
    return text || messageOf(error);
  }
}

function pluginPath(type: string): string | undefined {
  if (!/^[\w.-]+$/.test(type)) return undefined;
  return PLUGINS.map((folder) => join(folder, type)).find((path) => existsSync(path));
}

function readConfig(path: string): CniConfig | undefined {
  try {
    return parseCni(readFileSync(path, 'utf8'));
  } catch {
    return undefined;
  }
}
