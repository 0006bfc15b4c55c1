import type { Healthcheck } from '../../image/index.ts';
import type { Range } from './text.ts';

/** What every instruction has. */
interface Common {
  /** The keyword as written. */
  readonly name: string;
  /** The instruction as one line, as progress shows it. */
  readonly code: string;
  readonly range: Range;
  readonly comments: readonly string[];
}

export interface Pair {
  readonly key: string;
  readonly value: string;
  readonly legacy: boolean;
}

/** A command by its words (exec form), or as one text for the shell. */
export interface CommandLine {
  readonly args: readonly string[];
  readonly shell: boolean;
}

/** A file whose content stands in the Dockerfile. */
export interface InlineFile {
  readonly name: string;
  readonly content: string;
  readonly expand: boolean;
}

export interface FromInstruction extends Common {
  readonly kind: 'from';
  readonly base: string;
  /** The word between base and alias, as written. */
  readonly as?: string | undefined;
  /** In lower case. */
  readonly alias?: string | undefined;
  readonly aliasWritten?: string | undefined;
  readonly platform?: string | undefined;
}

export interface ArgInstruction extends Common {
  readonly kind: 'arg';
  readonly args: readonly { readonly key: string; readonly value?: string | undefined }[];
}

export interface EnvInstruction extends Common {
  readonly kind: 'env';
  readonly pairs: readonly Pair[];
}

export interface LabelInstruction extends Common {
  readonly kind: 'label';
  readonly pairs: readonly Pair[];
}

/** What COPY and ADD have in common. */
export interface FileSources {
  readonly sources: readonly string[];
  readonly files: readonly InlineFile[];
  readonly destination: string;
  readonly chown: string;
  readonly chmod: string;
  readonly link: boolean;
  readonly exclude: readonly string[];
}

export interface CopyInstruction extends Common, FileSources {
  readonly kind: 'copy';
  /** "" is the build context. */
  readonly from: string;
  readonly parents: boolean;
}

export interface AddInstruction extends Common, FileSources {
  readonly kind: 'add';
  readonly keepGitDir?: boolean | undefined;
  readonly checksum: string;
  readonly unpack?: boolean | undefined;
}

/** A mount of RUN as its fields were given; `from` is never expanded. */
export interface MountFlag {
  readonly written: string;
  readonly from: string;
  /** It is a bind mount, or may be one once variables have values. */
  readonly bind: boolean;
}

export interface DeviceFlag {
  readonly name: string;
  readonly required: boolean;
}

export interface RunHeredoc {
  readonly name: string;
  readonly content: string;
  readonly chomp: boolean;
}

export interface RunInstruction extends Common, CommandLine {
  readonly kind: 'run';
  readonly heredocs: readonly RunHeredoc[];
  readonly mounts: readonly MountFlag[];
  readonly devices: readonly DeviceFlag[];
  readonly network: 'default' | 'none' | 'host';
  readonly security: 'sandbox' | 'insecure';
}

export interface CmdInstruction extends Common, CommandLine {
  readonly kind: 'cmd';
}

export interface EntrypointInstruction extends Common, CommandLine {
  readonly kind: 'entrypoint';
}

export interface HealthcheckInstruction extends Common {
  readonly kind: 'healthcheck';
  readonly health: Healthcheck;
}

export interface ExposeInstruction extends Common {
  readonly kind: 'expose';
  readonly ports: readonly string[];
}

export interface VolumeInstruction extends Common {
  readonly kind: 'volume';
  readonly volumes: readonly string[];
}

export interface ShellInstruction extends Common {
  readonly kind: 'shell';
  readonly shell: readonly string[];
}

/** Instructions whose only argument is a text. */
export interface TextInstruction extends Common {
  readonly kind: 'maintainer' | 'stopsignal' | 'user' | 'workdir' | 'onbuild';
  readonly text: string;
}

/** Everything that stands in a stage. */
export type StageInstruction =
  | ArgInstruction
  | EnvInstruction
  | LabelInstruction
  | CopyInstruction
  | AddInstruction
  | RunInstruction
  | CmdInstruction
  | EntrypointInstruction
  | HealthcheckInstruction
  | ExposeInstruction
  | VolumeInstruction
  | ShellInstruction
  | TextInstruction;

export type Instruction = FromInstruction | StageInstruction;

/** A stage as written: its FROM and what follows. */
export interface StageText {
  readonly from: FromInstruction;
  readonly instructions: readonly StageInstruction[];
}

/** A Dockerfile as typed instructions: ARGs before the first FROM, and the stages. */
export interface Program {
  readonly globals: readonly ArgInstruction[];
  readonly stages: readonly StageText[];
}
