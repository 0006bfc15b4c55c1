/** `result.json` of the frontend's lint answer, as far as doors read it. */
export interface LintReport {
  readonly warnings: readonly LintWarning[];
  readonly sources: readonly { readonly filename: string; readonly data: string }[];
  readonly buildError?:
    | { readonly message: string; readonly location: LintLocation; readonly remedy?: string | undefined }
    | undefined;
}

export interface LintWarning {
  readonly ruleName: string;
  readonly description?: string | undefined;
  readonly url?: string | undefined;
  readonly detail: string;
  readonly location: LintLocation;
}

export interface LintLocation {
  readonly ranges?: readonly { readonly start: { readonly line: number }; readonly end: { readonly line: number } }[];
}

/** What is printed before the warnings. */
export function headline({ warnings, buildError }: LintReport): string {
  const count = warnings.length;
  if (count === 1) return 'Check complete, 1 warning has been found!\n';
  if (count > 1) return `Check complete, ${count} warnings have been found!\n`;
  return buildError === undefined ? 'Check complete, no warnings found.\n' : '';
}
