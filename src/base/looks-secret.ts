const NAME =
  /api_?key|access_?key|private_?key|auth(?!or)|credential|passw(?:or)?d|passphrase|pword|secret|token|(?:^|[_-])(?:key|pass|pwd|pat|cookie|session|signature|salt)(?:$|[_-])/i;

/** Texts that are credentials by their look: an address with a password, a PEM block, a JSON web token, tokens with the known beginnings of their makers. */
const VALUE =
  /^[a-z][a-z0-9+.-]*:\/\/[^/\s:@]*:[^/\s@]+@|-----BEGIN [A-Z ]*PRIVATE KEY|^eyJ[\w-]{10,}\.|^(?:gh[opsur]_|github_pat_|glpat-|xox[abpr]-|AKIA|ASIA|sk-|npm_|pypi-|dckr_pat_|hf_)[\w-]{8,}|^(?:Bearer|Basic) /;

/** Whether a variable is to be taken for a secret, by its name or its value: then its value is neither shown nor kept. Rather once too often. */
export function looksSecret(name: string, value: string): boolean {
  return NAME.test(name) || VALUE.test(value);
}
