import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { collect } from '../../../base/index.ts';
import { parseModuleDescriptor } from '../model/index.ts';
import { inlineModule } from './inline-module.ts';
import { parseProject, projectFor } from './project.ts';

const read = (text: string) => parseProject(text, 'project.toml');
const refused = (text: string, message: RegExp, line?: number): void => {
  assert.throws(
    () => read(text),
    (error: { code?: string; message: string; place?: { line?: number } }) => {
      assert.equal(error.code, 'CNB_FILE_INVALID');
      assert.match(error.message, message);
      if (line !== undefined) assert.equal(error.place?.line, line);
      return true;
    },
  );
};

const SECOND = `
[_]
schema-version = "0.2"
id = "io.example.app"
name = "App"
version = "1.0.2"
authors = ["A <a@example>"]
documentation-url = "https://example/docs"
source-url = "https://example/source"
[[_.licenses]]
type = "MIT"
[_.metadata]
foo = "bar"
[_.metadata.pipeline]
name = "x"

[io.buildpacks]
builder = "cnbs/sample-builder:bionic"
include = ["cmd/", "*.go"]
[[io.buildpacks.group]]
id = "example/java"
version = "1.0"
[[io.buildpacks.group]]
uri = "https://example.com/nodejs.tgz"
[[io.buildpacks.group]]
id = "me/my-cleanup"
  [io.buildpacks.group.script]
  api = "0.10"
  inline = "rm -rf $CNB_APP_DIR/x"
[[io.buildpacks.pre.group]]
id = "before"
[[io.buildpacks.post.group]]
id = "after"
[[io.buildpacks.build.env]]
name = "JAVA_OPTS"
value = "-Xmx300m"

[com.example.tool]
anything = true
`;

suite('project.toml', () => {
  test('of schema 0.2', () => {
    const { project, warnings } = read(SECOND);
    assert.deepEqual(warnings, []);
    assert.deepEqual(project, {
      schema: '0.2',
      id: 'io.example.app',
      name: 'App',
      version: '1.0.2',
      authors: ['A <a@example>'],
      documentationUrl: 'https://example/docs',
      sourceUrl: 'https://example/source',
      licenses: [{ type: 'MIT', uri: undefined }],
      metadata: { foo: 'bar', pipeline: { name: 'x' } },
      builder: 'cnbs/sample-builder:bionic',
      include: ['cmd/', '*.go'],
      exclude: [],
      group: [
        { id: 'example/java', version: '1.0', uri: undefined, execEnv: [] },
        { id: undefined, version: undefined, uri: 'https://example.com/nodejs.tgz', execEnv: [] },
        {
          id: 'me/my-cleanup',
          version: undefined,
          script: { api: '0.10', inline: 'rm -rf $CNB_APP_DIR/x', shell: '/bin/sh' },
          execEnv: [],
        },
      ],
      pre: [{ id: 'before', version: undefined, uri: undefined, execEnv: [] }],
      post: [{ id: 'after', version: undefined, uri: undefined, execEnv: [] }],
      env: [{ name: 'JAVA_OPTS', value: '-Xmx300m', execEnv: [] }],
    });
  });

  test('of schema 0.1, said or not', () => {
    const text = `
[project]
id = "app"
[[project.licenses]]
uri = "https://example/license"
[build]
builder = "b"
exclude = ["*.jar"]
[[build.buildpacks]]
id = "one"
[[build.env]]
name = "A"
value = "1"
[[build.pre.group]]
id = "before"
[metadata]
x = 1
`;
    const { project, warnings } = read(text);
    assert.deepEqual(warnings, ['No schema version declared in project.toml, defaulting to schema version 0.1']);
    assert.deepEqual(
      [project.schema, project.id, project.builder, project.exclude, project.group.length, project.pre.length],
      ['0.1', 'app', 'b', ['*.jar'], 1, 1],
    );
    assert.deepEqual([project.env, project.metadata], [[{ name: 'A', value: '1', execEnv: [] }], { x: 1 }]);
    assert.deepEqual(read(`_.schema-version = "0.1"\n${text}`).warnings, []);
  });

  test('of schema 0.3: what is for an execution environment', () => {
    const { project, warnings } = read(`
[_]
schema-version = "0.3"
[[io.buildpacks.group]]
id = "always"
[[io.buildpacks.group]]
id = "any"
exec-env = ["*"]
[[io.buildpacks.pre.group]]
id = "tests"
exec-env = ["test", "ci"]
[[io.buildpacks.post.group]]
id = "prod"
exec-env = ["production"]
[[io.buildpacks.build.env]]
name = "A"
value = "for tests"
exec-env = ["test"]
[[io.buildpacks.build.env]]
name = "B"
value = ""
`);
    assert.deepEqual(warnings, []);
    const names = (execEnv: string) => {
      const { group, pre, post, env } = projectFor(project, execEnv);
      return [...group, ...pre, ...post].map(({ id }) => id).concat(env.map(({ name }) => name));
    };
    assert.deepEqual(names('test'), ['always', 'any', 'tests', 'A', 'B']);
    assert.deepEqual(names('production'), ['always', 'any', 'prod', 'B']);
  });

  test('with the variables of an older spelling', () => {
    const old = '[_]\nschema-version = "0.2"\n[[io.buildpacks.env.build]]\nname = "OLD"\nvalue = "1"\n';
    assert.deepEqual(read(old).project.env, [{ name: 'OLD', value: '1', execEnv: [] }]);
    const both = `${old}[[io.buildpacks.build.env]]\nname = "NEW"\nvalue = "2"\n`;
    assert.deepEqual(
      read(both).project.env.map(({ name }) => name),
      ['NEW'],
    );
  });

  test('says which keys are not known', () => {
    const keys = (text: string): string | undefined => {
      const said = read(text).warnings.find((warning) => warning.includes('not supported'));
      return said && /ignored: (.*)$/.exec(said)?.[1];
    };
    const V2 = '[_]\nschema-version = "0.2"\n';
    assert.equal(
      keys(`${V2}owner = "me"\n[io.buildpacks]\nbuild-image = "x"\n[io.buildpacks.more]\na = 1\n`),
      '_.owner, io.buildpacks.build-image, io.buildpacks.more',
    );
    assert.equal(keys(`${V2}[[io.buildpacks.group]]\nid = "x"\nexec-env = ["test"]\n`), 'io.buildpacks.group.exec-env');
    assert.equal(keys(`${V2}[build]\nenv = 1\n[project]\nid = "x"\n[io.other]\nx = 1\n`), undefined);
    assert.equal(
      keys('[io.buildpacks]\nbuilder = "b"\n[build]\nx = 1\n[project]\ny = 2\n[other]\nz = 3\n'),
      'io.buildpacks, build.x, project.y',
    );
    assert.equal(keys('[_]\nschema-version = "0.3"\n[[io.buildpacks.env.build]]\nname = "A"\n'), 'io.buildpacks.env');
  });

  test('is refused where it says what may not be said, by its line', () => {
    const V2 = '[_]\nschema-version = "0.2"\n';
    refused('[_]\nschema-version = "0.9"\n', /"0\.9": unknown project descriptor schema version/, 2);
    refused(
      `${V2}[io.buildpacks]\ninclude = []\nexclude = ["a"]\n`,
      /"io\.buildpacks\.exclude" stands beside "include"/,
      5,
    );
    refused(`${V2}[[_.licenses]]\n`, /must have a type or uri/);
    refused(`${V2}[[io.buildpacks.group]]\nversion = "1"\n`, /must have an id or uri/);
    refused(`${V2}[[io.buildpacks.group]]\nuri = "x"\nversion = "1"\n`, /cannot have both uri and version/, 5);
    refused(`${V2}[[io.buildpacks.pre.group]]\nid = "x"\nversion = 1\n`, /is a number, not a text/, 5);
    refused(
      `${V2}[[io.buildpacks.group]]\nid = "x"\n[io.buildpacks.group.script]\ninline = "a"\n`,
      /script\.api" is missing/,
    );
    refused(
      `${V2}[[io.buildpacks.group]]\nid = "../x"\n[io.buildpacks.group.script]\napi = "0.10"\ninline = "a"\n`,
      /no id for an inline buildpack/,
    );
    refused(`${V2}[[io.buildpacks.build.env]]\nname = "A=B"\nvalue = ""\n`, /no name of a variable/, 4);
    refused('[_]\nschema-version = "0.3"\n[[io.buildpacks.group]]\nid = "x"\nexec-env = ["a/b"]\n', /has "a\/b"/, 5);
    assert.throws(() => read('a = = b'), { code: 'INVALID_TOML' });
  });
});

suite('a script of project.toml', () => {
  test('is a buildpack that always takes part', async () => {
    const { descriptor, tree } = inlineModule({
      id: 'me/clean',
      script: { api: '0.10', inline: 'echo "a"\nexit 0', shell: '/bin/bash' },
      execEnv: [],
    })!;
    const entries = await tree.entries();
    const content: Record<string, string> = {};
    for (const entry of entries)
      if (entry.type === 'file') content[entry.path] = Buffer.from(await collect(tree.read([entry]))).toString();
    assert.deepEqual(
      entries.map(({ path, mode }) => `${path} ${mode.toString(8)}`),
      ['bin 755', 'bin/build 755', 'bin/detect 755', 'buildpack.toml 644'],
    );
    assert.equal(content['bin/build'], '#!/bin/bash\n\necho "a"\nexit 0\n');
    assert.equal(content['bin/detect'], '#!/bin/bash\n\nexit 0\n');
    const parsed = parseModuleDescriptor(content['buildpack.toml'] ?? '', {
      kind: 'buildpack',
      file: 'buildpack.toml',
    });
    assert.deepEqual(
      [parsed.id, parsed.version, parsed.api, parsed.stacks],
      ['me/clean', '0.0.0', '0.10', [{ id: '*', mixins: [] }]],
    );
    assert.equal(descriptor.id, 'me/clean');
    assert.equal(inlineModule({ id: 'x', execEnv: [] }), undefined);
  });
});
