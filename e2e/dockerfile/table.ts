/** Writes the table of rules and cases into README.md: node e2e/dockerfile/table.ts */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readCases } from './case-file.ts';

const path = join(import.meta.dirname, 'README.md');
const byRule = new Map<string, string[]>();
for (const { name, rules } of readCases())
  for (const rule of rules) byRule.set(rule, [...(byRule.get(rule) ?? []), `\`${name}\``]);
const order = (rule: string): number => Number(rule.split(' ')[0]?.split('.')[1]);
const rules = [...byRule.keys()].sort((a, b) => order(a) - order(b) || (a < b ? -1 : 1));
const table = [
  '| Rule | Cases |',
  '| --- | --- |',
  ...rules.map((rule) => `| ${rule} | ${byRule.get(rule)?.join(', ')} |`),
];
const text = readFileSync(path, 'utf8');
const [before = ''] = text.split('<!-- table -->');
writeFileSync(path, `${before}<!-- table -->\n\n${table.join('\n')}\n`);
console.log(`${readCases().length} cases, ${rules.length} rules`);
