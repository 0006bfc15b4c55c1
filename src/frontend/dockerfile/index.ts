export type { DockerfileNode, InstructionNode } from './ast.ts';
export { dockerfileError } from './errors.ts';
export { lintRules, type RuleName } from './lint.ts';
export { parseDockerfile } from './parser.ts';
export { dockerfileFrontend } from './plan.ts';
export { SourceText } from './text.ts';
