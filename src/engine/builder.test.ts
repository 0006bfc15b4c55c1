import { builderSuite } from './builder.suite.ts';
import { EngineRig } from './engine-rig.suite.ts';

builderSuite('in process', async () => {
  const rig = await EngineRig.open();
  return {
    builder: rig.engine,
    base: 'FROM scratch',
    folders: {},
    forever: 'wait never',
    forget: async () => void (await rig.engine.store.prune({ all: true })),
    [Symbol.asyncDispose]: () => rig[Symbol.asyncDispose](),
  };
});
