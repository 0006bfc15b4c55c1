export { applyFileOp, type FileOpOptions } from './apply-file-op.ts';
export { fileOpError } from './errors.ts';
export { modeChange } from './mode-change.ts';
export { idsOf, type Ids } from './owners.ts';
export { copySelections, pickSelections } from './selections.ts';
