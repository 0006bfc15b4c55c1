import { TomlTable } from './toml-table.ts';

export interface BuildArg {
  readonly name: string;
  readonly value: string;
}

/** extend-config.toml: build arguments for an extension's Dockerfiles. */
export interface ExtendConfig {
  readonly build: readonly BuildArg[];
  readonly run: readonly BuildArg[];
}

const GIVEN: readonly string[] = ['build_id', 'user_id', 'group_id'];

/** extend-config.toml (image_extension.md). Throws CNB_FILE_INVALID, also for arguments that the lifecycle gives; INVALID_TOML. */
export function parseExtendConfig(text: string, file: string): ExtendConfig {
  const top = TomlTable.parse(text, file);
  const args = (side: string): readonly BuildArg[] =>
    top
      .table(side)
      .tables('args')
      .map((arg) => {
        const name = arg.need('name');
        if (GIVEN.includes(name)) throw arg.fail('name', `is "${name}", which is given by strake`);
        return { name, value: arg.text('value') ?? '' };
      });
  return { build: args('build'), run: args('run') };
}
