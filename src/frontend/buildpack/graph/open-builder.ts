import type { Wait } from '../../../base/index.ts';
import type { Platform } from '../../../blob/index.ts';
import { type ImageSource, sourceState } from '../../../graph/index.ts';
import { canonicalReference, parseConfig, parseReference } from '../../../image/index.ts';
import type { FrontendHost } from '../../index.ts';
import { buildpackError } from '../errors.ts';
import type { Files } from '../model/types.ts';
import { addModules } from './add-modules.ts';
import type { Builder } from './builder.ts';
import { embeddedBuilder } from './embedded.ts';
import type { BuildpackOptions } from './options.ts';
import { readBuilder } from './read-builder.ts';
import { filesOf } from './ref-files.ts';
import { resolveImage } from './resolve-image.ts';

/** The builder that was asked for, with the modules put into it that were. Throws what resolving throws, `CNB_BUILDER_INVALID`, and the errors of the files it reads. */
export async function openBuilder(
  host: FrontendHost,
  o: { options: BuildpackOptions; platform: Platform } & Wait,
): Promise<Builder> {
  const { options, platform } = o;
  const name = options.builder ?? options.defaultBuilder;
  const own =
    name === undefined
      ? await embeddedBuilder(host, o)
      : await imageBuilder(host, name, { pull: options.pull, platform, signal: o.signal });
  return addModules(host, options.systemBuildpacks ? own : { ...own, system: { pre: [], post: [] } }, o);
}

async function imageBuilder(
  host: FrontendHost,
  name: string,
  o: { pull: BuildpackOptions['pull']; platform: Platform } & Wait,
): Promise<Builder> {
  const reference = canonicalReference(parseReference(name));
  const source: ImageSource = { type: 'image', reference, platform: o.platform, pull: o.pull };
  const resolved = await resolveImage(host, source, o);
  const config = parseConfig(resolved.config ?? Buffer.from('{}'));
  const state = sourceState(resolved.source.source, { name: `[builder] ${name}`, group: 'builder' });
  const files = await filesOf(host, state, o);
  const own = config.config?.Env ?? [];
  const uid = idOf(own, 'CNB_USER_ID', name);
  const env = own.some((line) => line.startsWith('HOME=')) ? own : [...own, `HOME=${await homeOf(files, uid, o)}`];
  return {
    ...(await readBuilder(files, name, o)),
    state,
    files,
    env,
    uid,
    gid: idOf(own, 'CNB_GROUP_ID', name),
    launcher: state,
  };
}

/** As a container runtime sets it: from the root's own user database. */
async function homeOf(files: Files, uid: number, w: Wait): Promise<string> {
  const text = Buffer.from((await files.read('/etc/passwd', w)) ?? '').toString();
  const line = text.split('\n').find((one) => one.split(':')[2] === String(uid));
  return line?.split(':')[5] || '/';
}

function idOf(env: readonly string[], variable: string, builder: string): number {
  const text = env.findLast((line) => line.startsWith(`${variable}=`))?.slice(variable.length + 1);
  const id = Number(text);
  if (text !== undefined && Number.isInteger(id) && id > 0) return id;
  throw buildpackError(
    'CNB_BUILDER_INVALID',
    `use builder "${builder}": ${variable} is ${text === undefined ? 'not set' : `"${text}"`} in its image`,
    { remedy: 'Name an image that was made as a builder, or build it with these variables set to ids above 0.' },
  );
}
