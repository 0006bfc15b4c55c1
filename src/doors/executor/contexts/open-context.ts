import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  realpathSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { join, resolve } from 'node:path';
import type { Readable } from 'node:stream';
import { messageOf, redactUrl, throwIfCancelled, type Wait } from '../../../base/index.ts';
import { archiveTree, extractTree } from '../../../tree/index.ts';
import type { Cloud } from '../../../cloud/index.ts';
import { executorError } from '../errors.ts';
import type { Log } from '../log.ts';
import type { GitOptions } from '../options.ts';
import { fetchAzure, isAzure } from './azure.ts';
import { download } from './download.ts';
import { fetchGcs } from './gcs.ts';
import { fetchGit } from './git.ts';
import { fetchS3 } from './s3.ts';

export interface OpenOptions extends Wait {
  readonly cloud: Cloud;
  readonly log: Log;
  readonly git: GitOptions;
  readonly subPath?: string | undefined;
  readonly stdin: Readable & { readonly isTTY?: boolean | undefined };
  readonly cwd: string;
  /** A folder for what is brought here; it must be there. */
  readonly scratch: string;
}

export interface OpenedContext {
  readonly folder: string;
  /** A folder of this machine, not one that was made for the build. */
  readonly isLocal: boolean;
}

const PREFIXES = 'gs://, dir://, tar://, s3://, git://, https://';

/** Brings the build context here. `--context-sub-path` is looked for in what has a prefix, as in kaniko. Throws `CONTEXT_*`, `CLOUD_LOGIN_*`. */
export async function openContext(text: string, o: OpenOptions): Promise<OpenedContext> {
  if (text === '')
    throw executorError('CONTEXT_INVALID', 'read the build context: none is named', { remedy: 'Use --context.' });
  const scheme = /^([^:/]*:\/\/)/.exec(text)?.[1];
  if (scheme === undefined) return { folder: localFolder(text, o.cwd), isLocal: true };
  const rest = text.slice(scheme.length);
  if (scheme === 'dir://') return { folder: below(localFolder(rest, o.cwd), o.subPath), isLocal: true };
  const folder = join(o.scratch, 'context');
  o.log.debug(`Getting source context from ${redacted(text)}`);
  if (scheme === 'git://') await fetchGit(rest, { folder, env: o.cloud.env, git: o.git, signal: o.signal });
  else {
    mkdirSync(folder, { mode: 0o755 });
    const path = join(o.scratch, 'context.tar');
    const archive = await fetchArchive(scheme, rest, { ...o, text, path });
    await unpack(archive, folder, { ...o, what: `"${redacted(text)}"` });
    if (archive === path) rmSync(path);
  }
  return { folder: below(folder, o.subPath), isLocal: false };
}

/** The archive of a context, on this machine. */
async function fetchArchive(
  scheme: string,
  rest: string,
  o: OpenOptions & { readonly text: string; readonly path: string },
): Promise<string> {
  const { text, path, signal, cloud } = o;
  switch (scheme) {
    case 'tar://':
      if (rest !== 'stdin') return localFile(rest, o.cwd);
      await spool(o.stdin, o);
      return path;
    case 's3://':
      await fetchS3(text, { cloud, path, signal });
      return path;
    case 'gs://':
      await fetchGcs(text, { cloud, path, signal });
      return path;
    case 'https://':
      if (isAzure(text)) await fetchAzure(text, { cloud, path, signal });
      else {
        o.log.info('Retrieving https tar file');
        await download(cloud.http, new URL(text), { path, what: `download "${redacted(text)}"`, signal });
        o.log.info('Retrieved https tar file');
      }
      return path;
    default:
      throw executorError('CONTEXT_INVALID', `read the build context "${redacted(text)}": unknown prefix "${scheme}"`, {
        remedy: `Use one of ${PREFIXES}.`,
      });
  }
}

async function unpack(path: string, folder: string, o: OpenOptions & { readonly what: string }): Promise<void> {
  const scratch = join(o.scratch, 'unpacked');
  mkdirSync(scratch);
  const tree =
    statSync(path).size === 0 ? undefined : await archiveTree(realpathSync(path), { scratch, signal: o.signal });
  if (!tree)
    throw executorError('CONTEXT_INVALID', `read the build context ${o.what}: it is no tar archive`, {
      remedy: 'Make one: tar -C FOLDER -zcf context.tar.gz .',
    });
  await extractTree(tree, folder, { signal: o.signal });
  rmSync(scratch, { recursive: true, force: true });
}

function localFolder(text: string, cwd: string): string {
  const folder = resolve(cwd, text);
  const stat = statSync(folder, { throwIfNoEntry: false });
  if (!stat)
    throw executorError('CONTEXT_NOT_FOUND', `read the build context "${text}": no such folder`, {
      remedy: 'Name the folder with --context, and see that it is mounted.',
    });
  if (!stat.isDirectory())
    throw executorError('CONTEXT_INVALID', `read the build context "${text}": it is a file`, {
      remedy: 'Write tar:// before the path of an archive.',
    });
  try {
    readdirSync(folder);
  } catch (error) {
    throw executorError('CONTEXT_DENIED', `read the build context "${text}": ${messageOf(error)}`, { cause: error });
  }
  return folder;
}

function localFile(text: string, cwd: string): string {
  const path = resolve(cwd, text);
  if (!existsSync(path))
    throw executorError('CONTEXT_NOT_FOUND', `read the build context "tar://${text}": no such file`, {
      remedy: 'Name an archive of this machine, or write tar://stdin.',
    });
  if (!statSync(path).isFile())
    throw executorError('CONTEXT_INVALID', `read the build context "tar://${text}": it is not a file`, {
      remedy: 'Write dir:// before the path of a folder.',
    });
  return path;
}

function below(folder: string, subPath: string | undefined): string {
  if (subPath === undefined) return folder;
  const path = join(folder, subPath);
  const stat = statSync(path, { throwIfNoEntry: false });
  if (!stat?.isDirectory())
    throw executorError('CONTEXT_NOT_FOUND', `read the build context: it has no folder "${subPath}"`, {
      remedy: 'Check --context-sub-path.',
    });
  if (!`${realpathSync(path)}/`.startsWith(`${realpathSync(folder)}/`))
    throw executorError('CONTEXT_INVALID', `read the build context: its folder "${subPath}" leads out of it`);
  return path;
}

/** Standard input to a file. */
async function spool(stdin: OpenOptions['stdin'], o: { readonly path: string } & Wait): Promise<void> {
  if (stdin.isTTY)
    throw executorError('CONTEXT_INVALID', 'read the build context from standard input: it is a terminal', {
      remedy: 'Send an archive in: tar -C FOLDER -zcf - . | docker run -i …',
    });
  const stop = (): void => void stdin.destroy(new Error('cancelled'));
  o.signal?.addEventListener('abort', stop, { once: true });
  const fd = openSync(o.path, 'wx', 0o600);
  try {
    for await (const chunk of stdin as AsyncIterable<Uint8Array>)
      for (let at = 0; at < chunk.length;) at += writeSync(fd, chunk, at);
  } catch (error) {
    throwIfCancelled(o);
    throw executorError('CONTEXT_INVALID', `read the build context from standard input: ${messageOf(error)}`, {
      cause: error,
    });
  } finally {
    closeSync(fd);
    o.signal?.removeEventListener('abort', stop);
  }
}

function redacted(text: string): string {
  return URL.canParse(text) ? redactUrl(text) : text;
}
