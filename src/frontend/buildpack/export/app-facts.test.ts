import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import type { ImageConfig } from '../../../image/index.ts';
import { LABELS } from '../model/index.ts';
import { appFacts } from './app-facts.ts';

const config = (labels: Record<string, string>, more: ImageConfig['config'] = {}): ImageConfig => ({
  architecture: 'amd64',
  os: 'linux',
  config: { ...more, Labels: labels },
  rootfs: { type: 'layers', diff_ids: [] },
});

suite('what an app image says of itself', () => {
  test('is read from the labels of old lifecycles, too', () => {
    const facts = appFacts(
      config(
        {
          [LABELS.lifecycleMetadata]:
            '{"app":{"sha":"x"},"runImage":{"topLayer":"t"},"stack":{"runImage":{"image":"run"}}}',
          [LABELS.buildMetadata]:
            '{"bom":[{"name":"jre","metadata":{"v":1},"buildpack":{"id":"a/b","version":"1"}},7],"processes":[{"type":"web","command":"start it","args":["x"],"direct":false}]}',
          [LABELS.rebasable]: 'false',
        },
        { Entrypoint: ['/cnb/lifecycle/launcher'], WorkingDir: '/app' },
      ),
      'x',
    );
    assert.deepEqual(facts, {
      stackId: '',
      base: { topLayer: 't', reference: '' },
      runImages: ['run'],
      buildpacks: [],
      extensions: [],
      processes: [
        {
          type: 'web',
          isDefault: false,
          shell: true,
          command: 'start it',
          args: ['x'],
          workingDir: '/app',
          execEnv: [],
        },
      ],
      rebasable: false,
      bom: [{ name: 'jre', version: '', metadata: { v: 1 }, buildpack: { id: 'a/b', version: '1' } }],
      execEnv: undefined,
      sbom: undefined,
    });
  });

  test('puts the default process first, all words of a command after the first among its arguments', () => {
    const label = JSON.stringify({
      extensions: [{ id: 'e', version: '1' }],
      processes: [
        { type: 'a', command: ['one'], direct: true, 'exec-env': ['test'] },
        { type: 'b', command: ['one', 'two'], args: ['three'], direct: true, 'working-dir': '/w' },
      ],
    });
    const facts = appFacts(
      config(
        {
          [LABELS.lifecycleMetadata]: '{"sbom":{"sha":"sha256:1"},"runImage":{}}',
          [LABELS.buildMetadata]: label,
          [LABELS.execEnv]: 'test',
        },
        { Entrypoint: ['/cnb/process/b'] },
      ),
      'x',
    );
    assert.deepEqual(
      facts.processes.map(({ type, isDefault, args, workingDir, execEnv }) => [
        type,
        isDefault,
        args,
        workingDir,
        execEnv,
      ]),
      [
        ['b', true, ['two', 'three'], '/w', []],
        ['a', false, [], '', ['test']],
      ],
    );
    assert.deepEqual(
      [facts.extensions, facts.execEnv, facts.sbom],
      [[{ id: 'e', version: '1', homepage: undefined }], 'test', 'sha256:1'],
    );
  });

  test('is nothing where no buildpacks built it', () => {
    for (const labels of [{}, { [LABELS.lifecycleMetadata]: 'no' }])
      assert.throws(() => appFacts(config(labels), 'some/image'), {
        code: 'CNB_LABEL_INVALID',
        message: /read "some\/image": it was not built by buildpacks/,
      });
  });
});
