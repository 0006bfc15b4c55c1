import type { Socket } from 'node:net';
import {
  Channel,
  hasCode,
  messageOf,
  sleep,
  throwIfCancelled,
  unlessCancelled,
  type Clock,
  type Random,
  type Wait,
} from '../base/index.ts';
import { ownProcess } from '../blob/index.ts';
import type { Executor, JoiningProcess, Process, ProcessIo } from '../exec/index.ts';
import type { Mount } from '../tree/index.ts';
import { userOf } from './container-process.ts';
import { startContainer, type Container, type ContainerEvent } from './container.ts';
import { answerOf, listenIn, type Answer, type ExecQuestion, type Question, type SizeMessage } from './control.ts';
import { machineError } from './errors.ts';
import { answerFiles } from './files.ts';
import { FRAME, frameOf, framesOf, messageFrame, parseMessage, sendFrame, type Frame } from './frames.ts';
import { healthCommand } from './health.ts';
import { logFolder } from './log-files.ts';
import { LogWriter } from './log-writer.ts';
import type { ContainerRecord } from './record.ts';
import { rootName } from './record.ts';
import { nextDelay, startsAgain } from './restart-policy.ts';
import type { ContainerStore } from './container-store.ts';
import { signalNumber } from './signals.ts';

/** A container's root while the monitor lives: what the engine opens. */
export interface MonitorRoot extends AsyncDisposable {
  readonly ground: { readonly name: string; readonly executor: Executor; readonly oneRoot?: boolean | undefined };
  readonly mounts: readonly Mount[];
  user(text: string): Promise<Process['user']>;
  keep(name: string): Promise<void>;
}

export interface MonitorOptions extends Wait {
  readonly store: ContainerStore;
  readonly id: string;
  /** Opens the root of the image, or goes on from what was kept under `kept`. */
  openRoot(record: ContainerRecord, o: { readonly kept: string } & Wait): Promise<MonitorRoot>;
  readonly clock: Clock;
  readonly random: Random;
  /** It is not started before somebody attaches to it, which must be soon. Told by `listening` that one can. */
  readonly attachFirst?: boolean | undefined;
  listening?(): void;
  /** Called once, when the process runs or has ended. */
  started(o: { readonly notes: readonly string[]; readonly exitCode?: number | undefined }): void;
}

/** How often it is asked whether the process runs. */
const LOOK_MS = 10;
/** Of a process that could not be run (moby, "docker run": exit status). */
const FAILED = 125;
const KILLED = 137;

/**
 * Watches a container to its end: runs it, starts it again as its policy says, writes its log and its record, answers on its socket. Returns when it has ended for good and all that it had is given back. A first start that fails is thrown; a
 * later one is in the record. When the signal fires the container is stopped as by `stop`.
 */
export async function superviseContainer(o: MonitorOptions): Promise<void> {
  using _taken = await o.store.takeSoon(o.id, { signal: o.signal, toStart: true });
  const record = o.store.read(o.id);
  if (!record) throw machineError('CONTAINER_NOT_FOUND', `start container "${o.id}": it was removed`);
  await new Monitor(record, o).run();
}

class Monitor {
  readonly #o: MonitorOptions;
  #record: ContainerRecord;
  #container: Container | undefined;
  #root: MonitorRoot | undefined;
  #stdin: Channel<Uint8Array> | undefined;
  readonly #attached = new Set<Socket>();
  readonly #someoneAttached = Promise.withResolvers<void>();
  /** It is about to be removed. */
  #discard = false;
  /** How long the stop that was asked for before it ran shall wait. */
  #graceMs: number | undefined;
  /** Somebody wants it to end: it is not started again. */
  readonly #stopping = new AbortController();
  /** Over when it has ended for good: its last exit code. */
  readonly #over = Promise.withResolvers<number>();

  constructor(record: ContainerRecord, o: MonitorOptions) {
    this.#record = record;
    this.#o = o;
    this.#over.promise.catch(() => undefined);
  }

  async run(): Promise<void> {
    const { store, id } = this.#o;
    this.#change({
      monitor: ownProcess(),
      starting: true,
      restarts: 0,
      ports: [],
      error: undefined,
      lost: undefined,
      stopped: undefined,
    });
    const onSignal = (): void => void this.#stop(undefined);
    this.#o.signal?.addEventListener('abort', onSignal, { once: true });
    try {
      throwIfCancelled(this.#o);
      await using root = await this.#o.openRoot(this.#record, { kept: rootName(id), signal: this.#o.signal });
      this.#root = root;
      if (root.ground.oneRoot === true)
        throw machineError(
          'RUN_UNSUPPORTED',
          `run "${this.#record.spec.image}" in the background: nothing isolates containers here`,
          {
            remedy: 'Run it in the foreground, or see what "strake doctor" says is missing.',
          },
        );
      const user =
        this.#record.user ??
        (await root.user(userOf(this.#record.spec.config.config ?? {}, this.#record.spec.overrides)));
      this.#change({ user, runsOn: root.ground.name });
      using log = new LogWriter(logFolder(store.folderOf(id)), { ...this.#record.spec.log, clock: this.#o.clock });
      {
        await using _server = await listenIn(store.folderOf(id), (socket) => void this.#serve(socket));
        await this.#firstAttached();
        await this.#runs(root, log);
      }
      if (this.#record.spec.autoRemove || this.#discard) return;
      await root.keep(rootName(id));
      this.#change({ kept: true });
    } catch (error) {
      this.#failed(error);
      throw error;
    } finally {
      this.#o.signal?.removeEventListener('abort', onSignal);
      if (this.#record.spec.autoRemove) store.remove(id);
    }
  }

  async #firstAttached(): Promise<void> {
    if (this.#o.attachFirst !== true) return;
    this.#o.listening?.();
    const late = AbortSignal.timeout(ATTACHING_MS);
    await unlessCancelled(this.#someoneAttached.promise, { signal: late });
  }

  #failed(error: unknown): void {
    const { status } = this.#record;
    const ran = status === 'running' || status === 'restarting';
    const ended = ran ? { exitCode: KILLED, finishedAt: this.#o.clock.now(), lost: true } : {};
    this.#change({
      status: ran ? 'exited' : status,
      starting: undefined,
      ports: [],
      health: undefined,
      error: messageOf(error),
      ...ended,
    });
    this.#over.reject(error);
  }

  /** Runs it until it is not started again. */
  async #runs(root: MonitorRoot, log: LogWriter): Promise<void> {
    const { clock } = this.#o;
    let delay: number | undefined;
    for (let first = true; ; first = false) {
      const began = clock.now();
      let code = FAILED;
      let error: string | undefined;
      try {
        code = await this.#once(root, { log, first });
      } catch (thrown) {
        // Without a keeper nothing can be started again, nor what it wrote be kept.
        if (first || hasCode(thrown, 'KEEPER_LOST')) throw thrown;
        error = messageOf(thrown);
      }
      log.end();
      const { restart } = this.#record.spec;
      const { restarts } = this.#record;
      const again = !this.#stopping.signal.aborted && startsAgain(restart, { code, restarts });
      this.#change({
        status: again ? 'restarting' : 'exited',
        exitCode: code,
        finishedAt: clock.now(),
        error,
        ...(again ? {} : { ports: [] }),
        health: undefined,
        ...(this.#stopping.signal.aborted ? { stopped: true } : {}),
      });
      if (!again) return this.#over.resolve(code);
      delay = nextDelay(delay, clock.now() - began);
      try {
        await sleep(delay, { signal: this.#stopping.signal });
      } catch {
        this.#change({ status: 'exited', ports: [], stopped: true });
        return this.#over.resolve(code);
      }
      this.#change({ restarts: restarts + 1 });
    }
  }

  /** One run of it, to its exit code. */
  async #once(root: MonitorRoot, o: { readonly log: LogWriter; readonly first: boolean }): Promise<number> {
    const { spec, id, ports } = this.#record;
    const { clock, random } = this.#o;
    const { executor } = root.ground;
    const notes: string[] = [];
    const say = (stream: 'stdout' | 'stderr') => {
      const kind = FRAME[stream];
      return (chunk: Uint8Array): void | Promise<void> => {
        o.log.write(stream, chunk);
        if (this.#attached.size === 0) return;
        const frame = frameOf(kind, chunk);
        return Promise.all([...this.#attached].map((socket) => sendFrame(socket, frame))).then(() => undefined);
      };
    };
    this.#stdin = spec.interactive ? new Channel() : undefined;
    const io: ProcessIo = { stdout: say('stdout'), stderr: say('stderr'), stdin: this.#stdin };
    const watched = spec.health && healthCommand(spec.config.config ?? {}) !== undefined;
    const container = await startContainer({
      id,
      config: spec.config,
      executor,
      root: root.mounts,
      user: this.#record.user ?? { uid: 0, gid: 0, additionalGids: [] },
      overrides: spec.overrides,
      // Started again it keeps its ports.
      publish: o.first ? spec.publish : ports,
      publishAll: o.first && spec.publishAll,
      health: spec.health,
      io,
      tell: (event) => this.#hear(event, notes),
      clock,
      random,
      grace: spec.grace,
    });
    this.#container = container;
    try {
      const early = await this.#running(container, executor);
      if (early === undefined || !o.first)
        this.#change({
          status: 'running',
          starting: undefined,
          startedAt: clock.now(),
          finishedAt: undefined,
          error: undefined,
          ports: container.process.ports ?? [],
          health: watched ? (this.#record.status === 'running' ? this.#record.health : 'starting') : undefined,
          healthSaid: undefined,
        });
      else this.#change({ startedAt: clock.now(), starting: undefined });
      if (o.first) this.#o.started({ notes, exitCode: early });
      if (this.#stopping.signal.aborted) void container.stop(this.#graceMs);
      return await container.ended;
    } finally {
      this.#container = undefined;
      this.#stdin?.end();
    }
  }

  /** Waits until it runs; the exit code of one that has ended before that was seen. */
  async #running(container: Container, executor: Executor): Promise<number | undefined> {
    const over = new AbortController();
    const ended = container.ended.finally(() => over.abort());
    ended.catch(() => undefined);
    const seen = (async (): Promise<undefined> => {
      while (
        !over.signal.aborted &&
        (await executor.running.signal(container.id, 0).catch(() => 'absent')) === 'absent'
      )
        await sleep(LOOK_MS);
      if (over.signal.aborted) await ended;
    })();
    const code = await Promise.race([ended, seen]);
    return over.signal.aborted ? await ended : code;
  }

  #hear(event: ContainerEvent, notes: string[]): void {
    if (event.kind === 'note') notes.push(event.text);
    else if (event.kind === 'health') this.#change({ health: event.health, healthSaid: event.detail });
  }

  async #stop(graceMs: number | undefined): Promise<void> {
    this.#stopping.abort();
    this.#graceMs = graceMs;
    await this.#container?.stop(graceMs);
  }

  async #serve(socket: Socket): Promise<void> {
    const leaving = new AbortController();
    socket.on('error', () => undefined);
    socket.once('close', () => leaving.abort());
    const answer = (what: Answer): void => void (socket.writable && socket.write(messageFrame(what)));
    try {
      const frames = framesOf(socket)[Symbol.asyncIterator]();
      const first = await frames.next();
      if (first.done === true) return;
      const question = parseMessage(first.value) as Question;
      await this.#answer(question, { socket, frames, answer, signal: leaving.signal });
    } catch (error) {
      answer(answerOf(error));
    } finally {
      socket.end(() => socket.destroy());
    }
  }

  async #answer(question: Question, o: Asker): Promise<void> {
    if (question.ask === 'exec') return this.#exec(question, o);
    if (question.ask === 'attach') return this.#attach(question, o);
    if (question.ask === 'wait') return o.answer({ exit: await this.#over.promise });
    if (question.ask === 'stop') {
      this.#discard ||= question.discard === true;
      void this.#stop(question.graceMs);
      return o.answer({ exit: await this.#over.promise });
    }
    if (question.ask === 'usage') {
      const { insides } = this.#root?.ground.executor.running ?? {};
      const found = this.#container && (await insides?.usage(this.#record.id, o));
      return o.answer({ value: found ?? null });
    }
    if (question.ask === 'stat' || question.ask === 'pack' || question.ask === 'unpack') {
      const { executor } = (this.#root as MonitorRoot).ground;
      return answerFiles(question, { ...o, id: this.#live().id, executor });
    }
    if (question.ask === 'done') return;
    const container = this.#live();
    const { config } = this.#record.spec.config;
    const ends = question.number === KILL || question.number === signalNumber(config?.StopSignal || 'SIGTERM');
    if (ends) this.#stopping.abort();
    if (question.number === KILL) container.kill();
    else await container.signal(question.number);
    o.answer({ done: true });
  }

  #live(): Container {
    if (!this.#container)
      throw machineError('CONTAINER_NOT_RUNNING', `reach container "${this.#record.name}": it is not running now`);
    return this.#container;
  }

  async #attach(question: Extract<Question, { ask: 'attach' }>, o: Asker): Promise<void> {
    const { id } = this.#record;
    const { executor } = this.#root?.ground ?? {};
    this.#attached.add(o.socket);
    try {
      o.answer({ done: true });
      this.#someoneAttached.resolve();
      if (question.size) void executor?.running.resize(id, question.size).catch(() => undefined);
      // Who leaves does not end what is typed: another one may come.
      void hearInput(o.frames, {
        stdin: (chunk) => void (question.stdin && this.#stdin?.push(chunk)),
        end: () => void (question.stdin && this.#stdin?.end()),
        gone: () => undefined,
        size: (size) => void executor?.running.resize(id, size).catch(() => undefined),
      });
      const gone = Promise.withResolvers<undefined>();
      o.signal.addEventListener('abort', () => gone.resolve(undefined));
      const code = await Promise.race([this.#over.promise, gone.promise]);
      if (code !== undefined) o.answer({ exit: code });
    } finally {
      this.#attached.delete(o.socket);
    }
  }

  async #exec(question: ExecQuestion, o: Asker): Promise<void> {
    const container = this.#live();
    const root = this.#root as MonitorRoot;
    const base = container.process;
    const process: JoiningProcess = {
      id: `exec-${this.#o.random.hex(6)}`,
      args: question.args,
      env: joined(base.env, question.terminal ? ['TERM=xterm', ...question.env] : question.env),
      cwd: question.cwd ?? base.cwd,
      user: question.user === undefined ? base.user : await root.user(question.user),
      terminal: question.terminal,
    };
    const { running } = root.ground.executor;
    if (question.detach) {
      const quiet = (): void => undefined;
      void running.join(container.id, process, { io: { stdout: quiet, stderr: quiet } }).catch(quiet);
      o.answer({ done: true });
      return;
    }
    const stdin = question.stdin ? new Channel<Uint8Array>() : undefined;
    void hearInput(o.frames, {
      stdin: (chunk) => stdin?.push(chunk),
      end: () => stdin?.end(),
      gone: () => stdin?.end(),
      size: (size) => void running.resize(process.id, size).catch(() => undefined),
    });
    const send = (kind: number) => (chunk: Uint8Array) => sendFrame(o.socket, frameOf(kind, chunk));
    const io: ProcessIo = { stdout: send(FRAME.stdout), stderr: send(FRAME.stderr), stdin };
    o.answer({ exit: await running.join(container.id, process, { io, signal: o.signal }) });
  }

  #change(changes: Partial<ContainerRecord>): void {
    this.#record = { ...this.#record, ...changes };
    this.#o.store.write(this.#record);
  }
}

interface Asker extends Wait {
  readonly socket: Socket;
  /** What comes after the question. */
  readonly frames: AsyncIterator<Frame>;
  answer(what: Answer): void;
  /** Fires when who asked has gone. */
  readonly signal: AbortSignal;
}

const KILL = 9;
const ATTACHING_MS = 30_000;

/** Hands on what comes, until who sends it goes. */
async function hearInput(
  frames: AsyncIterator<Frame>,
  o: { stdin(chunk: Uint8Array): void; end(): void; gone(): void; size(size: SizeMessage['size']): void },
): Promise<void> {
  try {
    for (let next = await frames.next(); next.done !== true; next = await frames.next()) {
      const { kind, payload } = next.value;
      if (kind === FRAME.stdin) o.stdin(Buffer.from(payload));
      else if (kind === FRAME.stdinEnd) o.end();
      else if (kind === FRAME.message) o.size((parseMessage(next.value) as SizeMessage).size);
    }
  } catch {
    // A connection that breaks is seen by its end.
  } finally {
    o.gone();
  }
}

/** Variables, of which the later ones win. */
function joined(base: readonly string[], more: readonly string[]): string[] {
  const env = new Map([...base, ...more].map((text) => [text.slice(0, text.indexOf('=')), text]));
  return [...env.values()];
}
