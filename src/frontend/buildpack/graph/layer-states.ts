import { State, type FileAction, type PickAction } from '../../../graph/index.ts';
import type { LayerContent, LayerPlan } from '../model/types.ts';
import { LAUNCHER } from './builder.ts';

/** The trees that layers are taken from. */
export interface LayerTrees {
  /** With the app folder. */
  readonly app: State;
  readonly appDir: string;
  /** With /layers: what buildpacks left, configuration, SBOMs. */
  readonly layers: State;
  /** With the launcher at `LAUNCHER`. */
  readonly launcher: State;
}

const INPUTS = { layers: 1, app: 2, launcher: 3 };

/** A layer of an app image as a tree of its own, its bytes as the lifecycle writes them (platform.md, exporter; lifecycle's layers package). */
export function layerState({ key, content, dialect }: LayerPlan, trees: LayerTrees): State {
  const actions = content.map((one) => actionOf(one, trees.appDir));
  const used = new Set(
    actions.flatMap((action) => ('from' in action && 'input' in action.from ? [action.from.input] : [])),
  );
  const inputs = [trees.layers, trees.app, trees.launcher];
  // An input that is not looked into would still be waited for.
  const kept = inputs.filter((_, index) => used.has(index + 1));
  const numbered = new Map([...used].sort((a, b) => a - b).map((input, index) => [input, index + 1]));
  return State.files({ actions: actions.map((action) => renumbered(action, numbered)), dialect }, kept, {
    name: `[export] layer ${key}`,
    group: 'export',
  });
}

function actionOf(content: LayerContent, appDir: string): FileAction {
  const mtime = 0;
  switch (content.kind) {
    case 'parents':
      return pickOf(content.path, appDir, { entries: ancestorsOf(content.path) });
    case 'tree': {
      const { path, uid, gid, except } = content;
      return pickOf(path, appDir, { trees: [path], except, owner: { user: uid, group: gid } });
    }
    case 'entry': {
      const { path, uid, gid } = content;
      return pickOf(path, appDir, { entries: [path], owner: { user: uid, group: gid } });
    }
    case 'folder': {
      const { path, mode, uid, gid } = content;
      return { kind: 'mkdir', path, mode, parents: true, owner: { user: uid, group: gid }, mtime };
    }
    case 'file': {
      const { path, mode, uid, gid } = content;
      return { kind: 'mkfile', path, mode, content: content.content, owner: { user: uid, group: gid }, mtime };
    }
    case 'link': {
      const { path, target, mode, uid, gid } = content;
      return { kind: 'symlink', path, target, mode, owner: { user: uid, group: gid }, mtime };
    }
    default:
      return {
        kind: 'copy',
        from: { input: INPUTS.launcher },
        sources: [LAUNCHER],
        destination: content.path,
        wildcard: false,
        parents: false,
        unpack: false,
        followDestination: true,
        owner: { user: 0, group: 0 },
        mode: 0o755,
      };
  }
}

function pickOf(
  path: string,
  appDir: string,
  o: Partial<Pick<PickAction, 'trees' | 'entries' | 'except' | 'owner'>>,
): PickAction {
  const input = path === appDir || path.startsWith(`${appDir}/`) ? INPUTS.app : INPUTS.layers;
  return { kind: 'pick', from: { input }, trees: [], entries: [], ...o };
}

/** The folders above a path, the highest first, without the root. */
function ancestorsOf(path: string): string[] {
  const parts = path.split('/').slice(1, -1);
  return parts.map((_, index) => `/${parts.slice(0, index + 1).join('/')}`);
}

function renumbered(action: FileAction, numbers: ReadonlyMap<number, number>): FileAction {
  if (!('from' in action) || !('input' in action.from)) return action;
  return { ...action, from: { input: numbers.get(action.from.input) ?? action.from.input } };
}
