import type { LintLocation, LintReport } from './lint-report.ts';

/** What a report says, as SARIF 2.1.0 (OASIS): one run, a rule for each that was broken, `uri` the Dockerfile's path. */
export function sarifOf(report: LintReport, o: { readonly uri: string; readonly version: string }): object {
  const { warnings, buildError } = report;
  const names = [...new Set(warnings.map(({ ruleName }) => ruleName))].sort();
  const rules = names.map((id) => {
    const found = warnings.find(({ ruleName }) => ruleName === id);
    return {
      id,
      name: id,
      shortDescription: { text: found?.description ?? id },
      helpUri: found?.url,
      defaultConfiguration: { level: 'warning' },
    };
  });
  const place = (location: LintLocation): object[] => [
    {
      physicalLocation: {
        artifactLocation: { uri: encodeURI(o.uri) },
        region: regionOf(location),
      },
    },
  ];
  const results: object[] = warnings.map(({ ruleName, detail, location }) => ({
    ruleId: ruleName,
    ruleIndex: names.indexOf(ruleName),
    level: 'warning',
    message: { text: detail },
    locations: place(location),
  }));
  if (buildError !== undefined) {
    const { message, remedy, location } = buildError;
    rules.push({
      id: BUILD_ERROR,
      name: BUILD_ERROR,
      shortDescription: { text: 'The Dockerfile cannot be built' },
      helpUri: undefined,
      defaultConfiguration: { level: 'error' },
    });
    results.push({
      ruleId: BUILD_ERROR,
      ruleIndex: names.length,
      level: 'error',
      message: { text: remedy === undefined ? message : `${message}. ${remedy}` },
      locations: place(location),
    });
  }
  return {
    $schema: 'https://json.schemastore.org/sarif-2.1.0.json',
    version: '2.1.0',
    runs: [{ tool: { driver: { name: 'strake', version: o.version, rules } }, results }],
  };
}

const BUILD_ERROR = 'BuildError';

function regionOf({ ranges }: LintLocation): object | undefined {
  const [first] = ranges ?? [];
  return first === undefined ? undefined : { startLine: first.start.line, endLine: first.end.line };
}
