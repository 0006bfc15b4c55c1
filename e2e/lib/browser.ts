import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';

const CHROMIUM = '/usr/bin/chromium';

/** Why pages cannot be looked at here; false where they can. */
export const noBrowser: string | false =
  !existsSync(CHROMIUM) && 'chromium is not installed (124 MB, so only npm run test:full installs it)';

/** A page in headless Chromium, spoken to by the DevTools protocol over a pipe. */
export interface Page extends AsyncDisposable {
  send(method: string, params?: object): Promise<Readonly<Record<string, unknown>>>;
  /** What an expression comes to in the page, as JSON. Throws what it throws. */
  evaluate(expression: string): Promise<unknown>;
  /** Addresses that were asked for beside the page's own, and what its console said. */
  readonly requests: readonly string[];
  readonly complaints: readonly string[];
}

interface Message {
  readonly id?: number;
  readonly method?: string;
  readonly params?: {
    readonly request?: { readonly url: string };
    readonly exceptionDetails?: { readonly text: string };
    readonly entry?: { readonly text: string };
  };
  readonly result?: Readonly<Record<string, unknown>>;
  readonly error?: { readonly message: string };
}

/** Opens the page at an address and waits until it is loaded. */
export async function openPage(url: string): Promise<Page> {
  const profile = mkdtempSync(join(tmpdir(), 'strake-chromium-'));
  const child = spawn(
    CHROMIUM,
    [
      '--headless=new',
      '--no-sandbox',
      '--disable-gpu',
      '--no-first-run',
      '--remote-debugging-pipe',
      `--user-data-dir=${profile}`,
    ],
    { stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'] },
  );
  const closed = new Promise((resolve) => child.on('close', resolve));
  const [, , , into, from] = child.stdio as unknown as [null, null, null, Writable, Readable];
  const waiting = new Map<
    number,
    { readonly resolve: (message: Message) => void; readonly reject: (error: Error) => void }
  >();
  const requests: string[] = [];
  const complaints: string[] = [];
  const loaded = Promise.withResolvers<void>();
  let last = 0;
  let rest = '';
  from.setEncoding('utf8');
  into.on('error', () => undefined);
  from.on('data', (text: string) => {
    const parts = (rest + text).split('\0');
    rest = parts.pop() ?? '';
    for (const part of parts) hear(JSON.parse(part) as Message);
  });
  void closed.then(() => {
    for (const { reject } of waiting.values()) reject(new Error('chromium has ended'));
  });

  function hear(message: Message): void {
    const { id, method, params } = message;
    if (id !== undefined) waiting.get(id)?.resolve(message);
    if (method === 'Page.loadEventFired') loaded.resolve();
    if (method === 'Network.requestWillBeSent' && params?.request && params.request.url !== url)
      requests.push(params.request.url);
    if (method === 'Runtime.exceptionThrown') complaints.push(params?.exceptionDetails?.text ?? method);
    if (method === 'Log.entryAdded') complaints.push(params?.entry?.text ?? method);
  }

  async function send(
    method: string,
    params: object = {},
    sessionId?: string,
  ): Promise<Readonly<Record<string, unknown>>> {
    const id = ++last;
    const answer = new Promise<Message>((resolve, reject) => waiting.set(id, { resolve, reject }));
    into.write(`${JSON.stringify({ id, method, params, sessionId })}\0`);
    const { result, error } = await answer;
    waiting.delete(id);
    if (error) throw new Error(`${method}: ${error.message}`);
    return result ?? {};
  }

  const close = async (): Promise<void> => {
    await send('Browser.close').catch(() => undefined);
    await closed;
    rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
  };
  try {
    const { targetId } = await send('Target.createTarget', { url: 'about:blank' });
    const { sessionId } = (await send('Target.attachToTarget', { targetId, flatten: true })) as { sessionId: string };
    const inPage: Page['send'] = (method, params) => send(method, params, sessionId);
    for (const domain of ['Page', 'Network', 'Runtime', 'Log']) await inPage(`${domain}.enable`);
    await inPage('Page.navigate', { url });
    await loaded.promise;
    return {
      send: inPage,
      evaluate: async (expression) => {
        const { result, exceptionDetails } = (await inPage('Runtime.evaluate', {
          expression,
          returnByValue: true,
          awaitPromise: true,
        })) as {
          result: { value?: unknown; description?: string };
          exceptionDetails?: object;
        };
        if (exceptionDetails) throw new Error(`${expression}: ${result.description}`);
        return result.value;
      },
      requests,
      complaints,
      [Symbol.asyncDispose]: close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}
