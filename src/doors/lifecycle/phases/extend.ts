import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, rmSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import { throwIfCancelled } from '../../../base/index.ts';
import { LABELS, parseExtendConfig, type Analyzed, type DetectedGroup } from '../../../frontend/buildpack/index.ts';
import {
  configOf,
  descriptorOf,
  familyOf,
  makeImage,
  manifestOf,
  type ImageConfig,
  type Layer,
} from '../../../image/index.ts';
import { unpack } from '../../../snapshot/index.ts';
import { composeTree, openLayer } from '../../../tree/index.ts';
import { keeperCommand } from '../../cli/index.ts';
import type { PhaseContext } from '../context.ts';
import { readText } from '../disk-files.ts';
import { lifecycleError } from '../errors.ts';
import { keptBase } from '../extend/base-cache.ts';
import { extendRoot, type ExtendedRoot, type FoundDockerfile } from '../extend/extend-root.ts';
import { contextOf, generatedFile, type DockerfileKind } from '../extend/generated-file.ts';
import { writeSparse } from '../extend/sparse-layout.ts';
import { flagsOf } from '../flags.ts';
import { giveTo, variablesOf } from '../privileges.ts';

interface Extending {
  readonly analyzed: Analyzed;
  readonly group: DetectedGroup;
  readonly scratch: string;
}

/** Applies the Dockerfiles that extensions generated to this container's root (platform.md, extender; lifecycle phase/extender.go). Of the build image: then the builder runs in it as the user of the build; gives its exit code. Of the run image: layers for the exporter. */
export async function extend(c: PhaseContext, o: Extending): Promise<number> {
  const kind = c.inputs.since('0.12') ? c.inputs.text('kind') : 'build';
  if (kind !== 'build' && kind !== 'run')
    throw lifecycleError('LIFECYCLE_FLAG_INVALID', `read -kind "${kind}": it is none`, {
      remedy: 'Use build or run.',
    });
  const dockerfiles = dockerfilesOf(kind, c, o.group);
  if (kind === 'run') {
    if (dockerfiles.length > 0) await extendRun(c, { ...o, dockerfiles });
    return 0;
  }
  const config = dockerfiles.length > 0 ? await extendBuild(c, { ...o, dockerfiles }) : undefined;
  return await runBuilder(c, config?.config?.Env ?? []);
}

function dockerfilesOf(
  kind: DockerfileKind,
  { inputs, log }: PhaseContext,
  group: DetectedGroup,
): readonly FoundDockerfile[] {
  return group.extensions.flatMap(({ id }) => {
    const { folder, path } = generatedFile(id, kind, inputs);
    if (!existsSync(path)) return [];
    log.debug(`Found ${kind} Dockerfile for extension '${id}'`);
    const file = `${folder}/extend-config.toml`;
    const args = parseExtendConfig(readText(file) ?? '', file)[kind];
    return [{ id, path, context: contextOf(id, kind, inputs), args }];
  });
}

async function extendBuild(
  c: PhaseContext,
  o: Extending & { readonly dockerfiles: readonly FoundDockerfile[] },
): Promise<ImageConfig> {
  const base = await keptBase(o.analyzed.buildImage ?? '', 'build');
  return extendRoot(c, { ...o, config: await configOf(base, c) }, async (extended) => {
    await settle(extended, c);
    return extended.config;
  });
}

/** What a cache knew, and what no step has had to see, is not in the root yet. */
async function settle({ layers, guard }: ExtendedRoot, c: PhaseContext): Promise<void> {
  const store = await c.store();
  for (const layer of layers) {
    const diffId = await layer.diffId(c);
    await store.put(await layer.uncompressed(c), {
      mediaType: 'application/vnd.oci.image.layer.v1.tar',
      signal: c.signal,
    });
    const tree = await openLayer(store, diffId, c);
    const entries = (await tree.entries(c)).filter(({ path }) => !guard.covers(path));
    const free = composeTree(
      entries.map((entry) => ({ entry, from: entry.type === 'file' ? { tree, entry } : undefined })),
    );
    await unpack(free, { folder: '/.', xattrs: 'user', ids: 'all' }, c);
  }
}

async function extendRun(
  c: PhaseContext,
  o: Extending & { readonly dockerfiles: readonly FoundDockerfile[] },
): Promise<void> {
  const base = await keptBase(o.analyzed.runImage?.reference ?? '', 'run');
  const config = await configOf(base, c);
  await extendRoot(c, { ...o, config }, async (extended) => {
    const { User: user = '' } = extended.config.config ?? {};
    if (/^(?:|0|root)(?::|$)/.test(user))
      throw lifecycleError('LIFECYCLE_EXTEND_FAILED', 'extending run image: the final user ID is 0 (root)', {
        remedy:
          'Add another extension that resets the user to non-root: end run.Dockerfile with USER ${user_id}:${group_id}.',
      });
    if (user !== config.config?.User)
      c.log.warn(
        `The original user ID was ${config.config?.User ?? ''} but the final extension left the user ID set to ${user}.`,
      );
    const { mediaType } = await manifestOf(base, c);
    const image = makeImage({
      config: await extendedConfig(config, extended, c),
      layers: [...(await base.layers(c)), ...extended.layers],
      mediaTypes: familyOf(mediaType) ?? 'oci',
    });
    const folder = join(c.inputs.path('extended'), 'run');
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder, { recursive: true });
    const { digest } = await descriptorOf(image, c);
    await writeSparse(join(folder, digest), image, { layers: extended.layers, signal: c.signal });
  });
}

/** What the Dockerfiles said, with layers and history of the image as it was below theirs. */
async function extendedConfig(base: ImageConfig, o: ExtendedRoot, c: PhaseContext): Promise<ImageConfig> {
  const diffIds = await Promise.all(o.layers.map((layer: Layer) => layer.diffId(c)));
  const labels = { ...o.config.config?.Labels, [LABELS.rebasable]: String(o.rebasable) };
  const before = (base.history ?? []).filter(({ empty_layer: empty }) => empty !== true);
  const below = base.rootfs.diff_ids;
  return {
    ...base,
    config: { ...o.config.config, Labels: labels },
    rootfs: { type: 'layers', diff_ids: [...below, ...diffIds] },
    history: [
      ...(before.length === below.length ? before : below.map(() => ({}))),
      ...o.created.map((created_by) => ({ created_by })),
    ],
  };
}

/** The builder's work, by this very program as the user of the build. */
async function runBuilder(c: PhaseContext, env: readonly string[]): Promise<number> {
  const { inputs } = c;
  const { uid, gid } = inputs.ids();
  if (uid === 0)
    throw lifecycleError('LIFECYCLE_ROOT', 'extend: refusing to run buildpacks as root', {
      remedy: 'Give another -uid, or set CNB_USER_ID.',
    });
  giveTo([inputs.path('layers')], { uid, gid });
  const flags = flagsOf('builder', inputs.api).flatMap(({ name, kind, phases }) => {
    const text = kind === 'text' && phases.includes('extender') ? inputs.text(name) : '';
    return text === '' ? [] : [`-${name}=${text}`];
  });
  const { command, args } = keeperCommand('__phase');
  const extended = Object.fromEntries(
    env.map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
  );
  const child = spawn(command, [...args, 'builder', ...flags], {
    uid,
    gid,
    env: { ...c.env, ...extended, ...variablesOf(uid) },
    stdio: 'inherit',
  });
  const end = (): void => void child.kill('SIGTERM');
  c.signal?.addEventListener('abort', end, { once: true });
  try {
    const code = await new Promise<number>((resolve, reject) => {
      child.once('error', reject);
      child.once('exit', (code, signal) => resolve(code ?? 128 + (constants.signals[signal ?? 'SIGKILL'] ?? 9)));
    });
    throwIfCancelled(c);
    return code;
  } finally {
    c.signal?.removeEventListener('abort', end);
  }
}
