const NAME =
  /api_?key|access_?key|private_?key|auth(?!or(?!iz))|credential|passw(?:or)?d|passphrase|pword|secret|token|(?:^|[_-])(?:key|pass|pwd|pat|cookie|session|signature|salt)(?:$|[_-])/i;

/** Texts that are credentials by their look: an address with a password, a PEM block, a JSON web token, tokens with the known beginnings of their makers. */
const VALUE =
  /\b[a-z][a-z0-9+.-]{0,20}:\/\/[^/\s:@]*:[^/\s@]+@|-----BEGIN [A-Z ]*PRIVATE KEY|\beyJ[\w-]{10,}\.|\b(?:gh[opsur]_|github_pat_|glpat-|xox[abpr]-|AKIA|ASIA|sk-|npm_|pypi-|dckr_pat_|hf_)[\w-]{8,}|\b(?:Bearer|Basic) \S|[?&;](?:sig|signature|token|password|x-amz-[a-z-]+)=/i;

/** Whether a variable is to be taken for a secret, by its name or its value: then its value is neither shown nor kept. Rather once too often. */
export function looksSecret(name: string, value: string): boolean {
  return NAME.test(name) || VALUE.test(value);
}

/** A text that people wrote, with what looks like a secret left out: logins in addresses, tokens, values of assignments, flags and headers by their names. */
export function withoutSecrets(text: string): string {
  return text
    .replaceAll(/([a-z][a-z0-9+.-]{0,20}:\/\/)[^/\s@"']+@/gi, '$1…@')
    .replaceAll(/[^\s"'=:]+/g, (word) => (VALUE.test(word) ? '…' : word))
    .replaceAll(HEADER, (whole: string, name: string, value: string) =>
      looksSecret(name, value) ? `${name}: …` : whole,
    )
    .replaceAll(ASSIGNMENT, (whole: string, name: string, between: string, value: string) =>
      looksSecret(name, value) && !value.startsWith('$') ? `${name}${between}…` : whole,
    );
}

/** `NAME=value`, `--name value`; the value may be quoted. */
const ASSIGNMENT = /([A-Za-z][\w-]{0,40})(=|(?<=--[\w-]{0,40})\s+)("[^"]*"|'[^']*'|[^\s"']+)/g;
/** `Name: value`, to the end of the quotes that it stands in. */
const HEADER = /([A-Za-z][\w-]{0,40}):\s+([^"']+)/g;
