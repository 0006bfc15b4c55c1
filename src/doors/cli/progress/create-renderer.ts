import type { Clock } from '../../../base/index.ts';
import type { BuildEvent } from '../../../engine/index.ts';
import { oneOf } from '../parse/values.ts';
import type { Style } from '../print/style.ts';
import { failedLog, logOfFailing } from './closing.ts';
import { jsonRenderer } from './json.ts';
import { ProgressModel } from './model.ts';
import { plainRenderer } from './plain.ts';
import { rawJsonRenderer } from './rawjson.ts';
import type { Renderer, Screen } from './renderer.ts';
import { ttyRenderer } from './tty.ts';

export const PROGRESS_MODES = ['auto', 'tty', 'plain', 'json', 'rawjson', 'quiet'] as const;
export type ProgressMode = (typeof PROGRESS_MODES)[number];

export interface RendererOptions {
  readonly clock: Clock;
  readonly style: Style;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** What is done, as `Building`. */
  readonly title: string;
}

/** The renderer of a mode. `auto` is `tty` on a terminal that can be drawn on and where no CI reads along, else `plain`. */
export function createRenderer(mode: ProgressMode, screen: Screen, o: RendererOptions): Renderer {
  switch (mode) {
    case 'auto':
      return createRenderer(isDrawable(screen, o.env) ? 'tty' : 'plain', screen, o);
    case 'tty':
      return ttyRenderer(screen, o);
    case 'plain':
      return plainRenderer(screen, o);
    case 'json':
      return jsonRenderer(screen, o);
    case 'rawjson':
      return rawJsonRenderer(screen);
    default:
      return quietRenderer(screen, o);
  }
}

function isDrawable(screen: Screen, env: RendererOptions['env']): boolean {
  const ci = env['CI'] !== undefined && env['CI'] !== '' && env['CI'] !== 'false';
  return screen.isTerminal && env['TERM'] !== 'dumb' && !ci;
}

/** Says nothing, but for what a failed step printed. */
function quietRenderer(screen: Screen, { style, clock }: RendererOptions): Renderer {
  const model = new ProgressModel();
  return {
    event: (event: BuildEvent) => void model.apply(event),
    pause: (id) => {
      const { step } = model.ended(id, clock.now());
      const lines = step ? logOfFailing(step, style) : [];
      if (lines.length > 0) screen.write(`${lines.join('\n')}\n`);
      return { [Symbol.dispose]: () => undefined };
    },
    finish: (error) => {
      const lines = error === undefined ? [] : failedLog(model, style);
      if (lines.length > 0) screen.write(`${lines.join('\n')}\n`);
    },
    [Symbol.dispose]: () => undefined,
  };
}

/** The mode that was asked for: by the flag, else by BUILDKIT_PROGRESS, where a word that is not known is passed over. */
export function progressMode(flag: string | undefined, env: RendererOptions['env']): ProgressMode {
  if (flag !== undefined) return oneOf(PROGRESS_MODES, '--progress')(flag);
  return PROGRESS_MODES.find((mode) => mode === env['BUILDKIT_PROGRESS']) ?? 'auto';
}
