export { graphError } from './errors.ts';
export { parseGitRef, type GitRef } from './git-ref.ts';
export type {
  ArchiveSource,
  CopyAction,
  CopyFrom,
  DiffOp,
  ExecOp,
  FileAction,
  FileOp,
  GitSource,
  HttpSource,
  ImageSource,
  LayoutSource,
  LocalSource,
  MergeOp,
  PickAction,
  MkdirAction,
  MkfileAction,
  Op,
  OpMount,
  Owner,
  PackagesSource,
  PackOp,
  RemoveAction,
  Resources,
  ScratchSource,
  Source,
  SourceOp,
  SymlinkAction,
} from './op.ts';
export {
  applyPolicies,
  type NamedSource,
  type SourceConstraint,
  type SourcePolicy,
  type SourceRule,
} from './source-policy.ts';
export { readSourcePolicy } from './read-source-policy.ts';
export { scratch, sourceState, State } from './state.ts';
export { vertex, type Edge, type StepVariable, type Vertex, type VertexLabel } from './vertex.ts';
