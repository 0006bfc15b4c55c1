import { renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { basename, dirname, resolve } from 'node:path';
import {
  CodedError,
  firstFailure,
  hasErrno,
  kindOf,
  messageOf,
  reasonOf,
  withoutSecrets,
  type Wait,
} from '../../../base/index.ts';
import type { BuildEvent, BuildResult, Engine } from '../../../engine/index.ts';
import { familiarReference, formatPlatform, parseReference } from '../../../image/index.ts';
import type { BuildHost } from '../../../worker/index.ts';
import { cliError } from '../errors.ts';
import { excerpt, placeText } from '../failure.ts';
import type { Io } from '../io.ts';
import { marksOf } from '../run-cli.ts';
import { ownVersion } from '../version.ts';
import { imageFacts } from './image-facts.ts';
import { reportPage } from './page.ts';
import type { ReportData, ReportFailure, ReportImage } from './report-data.ts';
import { ReportRecorder } from './report-recorder.ts';

const REMEDY = 'Name a file in a folder that is there and that this user may write to.';

/** `--report FILE`: hears the events of a build and writes its page when it is over, however it ended. */
export class BuildReport {
  readonly #path: string;
  readonly #name: string;
  readonly #io: Pick<Io, 'clock' | 'random'>;
  readonly #title: string;
  readonly #startedAt: number;
  readonly #recorder = new ReportRecorder();
  #isOver = false;

  /** Throws `OUTPUT_INVALID` before anything is built where no file could be written there. */
  constructor(name: string, o: { readonly io: Pick<Io, 'clock' | 'random' | 'cwd'>; readonly title: string }) {
    this.#name = name;
    this.#path = resolve(o.io.cwd, name);
    this.#io = o.io;
    this.#title = o.title;
    this.#startedAt = o.io.clock.now();
    const isFolder = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
    if (name === '' || isFolder(this.#path) || !isFolder(dirname(this.#path)))
      throw cliError(
        'OUTPUT_INVALID',
        `write --report "${name}": ${isFolder(this.#path) ? 'it is a folder' : 'there is no such folder'}`,
        { remedy: REMEDY },
      );
  }

  event(event: BuildEvent): void {
    this.#recorder.event(event);
  }

  /** Throws `OUTPUT_INVALID` and `OUTPUT_DENIED`. */
  async built(
    result: BuildResult,
    o: {
      readonly engine: Pick<Engine, 'images' | 'workshop'>;
      readonly host: Pick<BuildHost, 'credentials'>;
    } & Wait,
  ): Promise<void> {
    const endedAt = this.#io.clock.now();
    const steps = this.#recorder.steps(endedAt);
    const images: ReportImage[] = [];
    for (const { platform, imageId, manifests } of result.images) {
      const facts = await imageFacts(imageId, { ...o, steps });
      const written = manifests.flatMap(({ names }) => names.map((name) => familiarReference(parseReference(name))));
      const names = [...new Set([...(facts?.names ?? []), ...written])];
      images.push({ platform: formatPlatform(platform), id: imageId, names, facts });
    }
    this.#write({ ...this.#told('built', endedAt), steps, images });
  }

  /** Writes it unless it has been written; gives what came in the way. */
  failed(thrown: unknown): unknown {
    if (this.#isOver) return undefined;
    const endedAt = this.#io.clock.now();
    const error = firstFailure(thrown);
    const outcome = kindOf(error) === 'cancelled' ? 'stopped' : 'failed';
    try {
      this.#write({
        ...this.#told(outcome, endedAt),
        steps: this.#recorder.steps(endedAt),
        failure: failureOf(thrown, this.#recorder.failed),
        images: [],
      });
      return undefined;
    } catch (problem) {
      return problem;
    }
  }

  #told(
    outcome: ReportData['outcome'],
    endedAt: number,
  ): Pick<ReportData, 'title' | 'program' | 'outcome' | 'startedAt' | 'endedAt' | 'ground' | 'warnings'> {
    const { ground, warnings } = this.#recorder;
    const { version } = ownVersion();
    return {
      title: this.#title,
      program: version,
      outcome,
      startedAt: this.#startedAt,
      endedAt,
      ground,
      warnings,
    };
  }

  /** Whole or not at all. */
  #write(data: ReportData): void {
    this.#isOver = true;
    const beside = resolve(dirname(this.#path), `.${basename(this.#path)}.${this.#io.random.hex(8)}`);
    try {
      writeFileSync(beside, reportPage(data), { flag: 'wx' });
      renameSync(beside, this.#path);
    } catch (error) {
      rmSync(beside, { force: true });
      const denied = hasErrno(error, 'EACCES', 'EPERM', 'EROFS');
      throw cliError(
        denied ? 'OUTPUT_DENIED' : 'OUTPUT_INVALID',
        `write --report "${this.#name}": ${reasonOf(error)}`,
        { cause: error, remedy: REMEDY },
      );
    }
  }
}

function failureOf(thrown: unknown, step: number | undefined): ReportFailure {
  const error = firstFailure(thrown);
  const coded = error instanceof CodedError ? error : undefined;
  const { source, after = [] } = marksOf(thrown);
  const { place } = coded ?? {};
  return {
    code: coded?.code ?? 'DEFECT',
    message: withoutSecrets(messageOf(error)),
    place: place && placeText(place),
    excerpt: place ? excerpt(place, source).map((line) => ({ ...line, text: withoutSecrets(line.text) })) : [],
    remedy: coded?.remedy,
    notes: after,
    step,
  };
}
