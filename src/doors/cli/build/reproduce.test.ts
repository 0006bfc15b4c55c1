import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Settings } from '../settings.ts';
import type { BuildFlags } from './flags.ts';
import { reproduceLine } from './reproduce.ts';

const FLAGS: BuildFlags = {
  tag: ['app'],
  buildArg: [],
  buildContext: [],
  platform: [],
  cache: false,
  cacheFilter: ['a'],
  cacheFrom: [],
  cacheTo: ['type=inline'],
  label: ['a=b'],
  annotation: [],
  secret: [],
  ssh: [],
  network: 'default',
  addHost: [],
  output: ['-'],
  push: true,
  iidfile: 'id',
  allow: [],
  ulimit: [],
};
const SETTINGS: Settings = { root: '/home/me/.local/share/strake', project: '/p', insecure: [] };

function line(o: {
  flags?: Partial<BuildFlags>;
  settings?: Partial<Settings>;
  place?: string;
  stage?: string;
  app?: boolean;
}): string | undefined {
  return reproduceLine({
    place: o.place ?? '.',
    flags: { ...FLAGS, ...o.flags },
    settings: { ...SETTINGS, ...o.settings },
    io: { env: {}, home: '/home/me', cwd: '/p' },
    stage: o.stage,
    app: o.app,
    program: 'strake',
  });
}

test('what only matters once the build is done is left out, and so is --no-cache', () => {
  assert.equal(line({}), 'strake build --on-error=shell .');
});

test('what the step was built of is kept, up to its stage', () => {
  const flags = {
    file: 'deploy/Docker file',
    target: 'final',
    buildArg: ['A=1', "B=it's $x", 'C'],
    secret: ['id=t,env=T'],
    network: 'none',
    pull: true,
    memory: '2g',
  };
  assert.equal(
    line({ flags, stage: 'compile', place: 'sub', settings: { executor: 'crun', insecure: ['r:5'] } }),
    `strake build --on-error=shell -f 'deploy/Docker file' --target compile --build-arg A=1 --build-arg 'B=it'\\''s $x' --build-arg C --pull --network none --memory 2g --executor crun --secret id=t,env=T --insecure-registry r:5 sub`,
  );
  assert.equal(line({ flags: { target: 'final' } }), 'strake build --on-error=shell --target final .');
  assert.equal(line({ stage: 'stage-2' }), 'strake build --on-error=shell --target 2 .');
  assert.equal(line({ settings: { root: '/other' } }), 'strake build --on-error=shell --root /other .');
});

test('what buildpacks were given', () => {
  const flags = { builder: 'b', buildpack: ['x@1', './y'], env: ['A=1', 'API_TOKEN=hunter2'], byBuildpacks: true };
  assert.equal(line({ flags }), 'strake build --on-error=shell .', 'of no matter by a Dockerfile');
  assert.equal(
    line({ flags, app: true }),
    'strake build --on-error=shell --by-buildpacks --tag app --builder b --buildpack x@1 --buildpack ./y --env A=1 --env API_TOKEN .',
  );
});

test('nothing that looks like a secret is shown', () => {
  assert.equal(
    line({
      flags: { buildArg: ['NPM_TOKEN=hunter2', 'URL=https://me:hunter2@h/x'] },
      place: 'https://me:hunter2@h/r.git',
    }),
    'strake build --on-error=shell --build-arg NPM_TOKEN --build-arg URL https://me@h/r.git',
  );
});

test('standard input cannot be given again', () => {
  assert.equal(line({ place: '-' }), undefined);
  assert.equal(line({ flags: { file: '-' } }), undefined);
});
