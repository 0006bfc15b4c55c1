import { cleanPath } from '../../tree/index.ts';
import { quote } from './go-text.ts';
import { withConfig, withHistory } from './image-draft.ts';
import type { TextInstruction } from './instruction.ts';
import { expandIn, folderOf, nextLabel, shown, withLayer, type StageState, type StepScope } from './stage-state.ts';
import { parseOwner } from './step-copy.ts';

/** WORKDIR (facts 1.8): the folder is made, for the USER in force, unless it is the root. An absolute path is kept as it is written, a relative one is joined and cleaned (BuildKit util/system, NormalizeWorkdir). */
export function workdir(stage: StageState, instruction: TextInstruction, scope: StepScope): StageState {
  const { text } = expandIn(stage, scope, { instruction, text: instruction.text });
  if (!stage.workdirSet && !text.startsWith('/'))
    scope.lint.report(
      'WorkdirRelativePath',
      instruction.range,
      `Relative workdir ${quote(text)} can have unexpected results if the base image changes`,
    );
  const written = text.startsWith('/') ? text : cleanPath(`${folderOf(stage)}/${text}`);
  const path = cleanPath(written);
  const moved: StageState = { ...stage, draft: withConfig(stage.draft, { WorkingDir: written }), workdirSet: true };
  const createdBy = `WORKDIR ${written}`;
  if (path === '/') return { ...moved, draft: withHistory(moved.draft, createdBy, false) };
  const user = stage.draft.config.User ?? '';
  const shownAs = shown(stage, instruction.code, { escape: scope.escape });
  const { label, index } = nextLabel(stage, scope, { instruction, text: shownAs, mayIgnoreCache: false });
  const after = stage.state.file(
    [
      {
        kind: 'mkdir',
        path,
        mode: 0o755,
        parents: true,
        owner: user === '' ? undefined : parseOwner(user),
        mtime: scope.epoch,
      },
    ],
    [],
    label,
  );
  return withLayer(moved, after, { index, createdBy });
}
