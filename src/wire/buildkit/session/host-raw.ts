import type { CodedError, Wait } from '../../../base/index.ts';
import type { BuildHost, Sink } from '../../../worker/index.ts';
import { fromStatus, type RawHandler, type RawRequest } from '../../grpc/index.ts';
import { bytesMessage, readBytesMessage } from './bytes-message.ts';
import { sessionError } from './errors.ts';
import { decodeHeader } from './metadata.ts';
import type { SessionOffer } from './session-offer.ts';
import { receiveBytes } from './receive-bytes.ts';
import { receiveFolder } from './receive-folder.ts';
import { sendFiles } from './send-files.ts';

/** By which a server sends what exporters make. */
export const OUTPUT_CALL = '/moby.filesync.v1.FileSend/DiffCopy';

const PIECE = 1 << 20;

/** The calls of a session whose messages are bytes: files both ways, agents, uploads. */
export function hostRaw(host: BuildHost, o: SessionOffer): Record<string, RawHandler> {
  const raw: Record<string, RawHandler> = {};
  if (o.files.length > 0)
    raw['/moby.filesync.v1.FileSync/DiffCopy'] = async (request) => sendFolder(host, o.files, request);
  if (o.sinks.some((name) => name !== undefined))
    raw[OUTPUT_CALL] = async (request) => receiveOutput(host, o.sinks, request);
  if (o.agents === true) raw['/moby.sshforward.v1.SSH/ForwardAgent'] = async (request) => forwardAgent(host, request);
  if (o.uploads && o.uploads.size > 0)
    raw['/moby.upload.v1.Upload/Pull'] = async ({ call, headers }) => {
      const path = headers.get('urlpath') ?? '';
      const open = o.uploads?.get(path);
      if (!open) throw sessionError('SESSION_NOT_OFFERED', `upload "${path}": there is no such thing`);
      call.receive(() => undefined);
      for await (const chunk of open())
        for (let at = 0; at < chunk.length; at += PIECE)
          if (!call.send(...bytesMessage(chunk.subarray(at, at + PIECE)))) await call.writable();
    };
  return raw;
}

async function sendFolder(
  host: BuildHost,
  names: readonly string[],
  { call, headers, peer }: RawRequest,
): Promise<void> {
  const name = decodeHeader('dir-name', headers)[0] ?? '';
  if (!names.includes(name)) throw sessionError('SESSION_NOT_OFFERED', `use files "${name}": they were not offered`);
  using left = untilLeft(call.ended, peer.gone);
  const patterns = (key: string): { value?: readonly string[] } => {
    const values = decodeHeader(key, headers);
    return values.length > 0 ? { value: values } : {};
  };
  const tree = await host.files(name).tree(
    {
      include: patterns('include-patterns').value,
      exclude: patterns('exclude-patterns').value,
      follow: patterns('followpaths').value,
    },
    left,
  );
  await sendFiles(call, tree, { action: `send files "${name}"`, signal: left.signal });
}

async function receiveOutput(
  host: BuildHost,
  sinks: readonly (string | undefined)[],
  { call, headers, peer }: RawRequest,
): Promise<void> {
  const id = Number(headers.get('buildkit-attachable-exporter-id') ?? 0);
  const name = sinks[id];
  if (name === undefined) throw sessionError('SESSION_NOT_OFFERED', `write output ${id}: it was not asked for`);
  const sink: Sink = host.sink(name);
  using left = untilLeft(call.ended, peer.gone);
  if (sink.kind === 'folder') {
    await receiveFolder(call, sink.path, { action: `write output to "${sink.path}"`, signal: left.signal });
    return;
  }
  if (sink.kind !== 'stream') throw sessionError('SESSION_SINK', `write output ${id}: it is no file and no folder`);
  const metadata: Record<string, string> = {};
  for (const key of METADATA) {
    const value = decodeHeader(`exporter-md-${key}`, headers).join(',');
    if (value !== '') metadata[key] = value;
  }
  await using file = await sink.open(metadata);
  for await (const chunk of receiveBytes(call, { read: readBytesMessage, action: `write output ${id}` }))
    await file.write(chunk);
  await file.close();
}

/** What exporters say of an image. */
const METADATA = [
  'containerimage.digest',
  'containerimage.config.digest',
  'containerimage.descriptor',
  'image.name',
] as const;

async function forwardAgent(host: BuildHost, { call, headers, peer }: RawRequest): Promise<void> {
  const id = headers.get('buildkit.ssh.id') ?? 'default';
  using left = untilLeft(call.ended, peer.gone);
  await using agent = await host.agent(id === '' ? 'default' : id, left);
  const there = (async () => {
    for await (const chunk of receiveBytes(call, { read: readBytesMessage, action: `use ssh agent "${id}"` }))
      await agent.write(chunk);
  })();
  const back = (async () => {
    for await (const chunk of agent.readable) {
      for (let at = 0; at < chunk.length; at += PIECE)
        if (!call.send(...bytesMessage(chunk.subarray(at, at + PIECE)))) await call.writable();
    }
  })();
  await Promise.race([there, back]);
  back.catch(() => undefined);
  there.catch(() => undefined);
}

/** Fires when the other side has broken off the call, or its connection has ended. */
function untilLeft(
  ended: Promise<Error | undefined>,
  gone: AbortSignal,
): { readonly signal: AbortSignal } & Wait & Disposable {
  const controller = new AbortController();
  const onGone = (): void => controller.abort(gone.reason);
  gone.addEventListener('abort', onGone, { once: true });
  void ended.then((status) => {
    if (status) controller.abort(leftBy(status));
  });
  return { signal: controller.signal, [Symbol.dispose]: () => gone.removeEventListener('abort', onGone) };
}

function leftBy(status: Error): CodedError {
  return fromStatus(status, 'the server has broken off');
}
