#!/usr/bin/env node
// Starts strake on the Node that it was made for, which npm installed beside it as an optional dependency. Runs on any Node since 12, as a module or not.
void (async () => {
  const load = (name) => import(`node:${name}`).catch(() => import(name));
  const { existsSync, realpathSync } = await load('fs');
  const { dirname, join } = await load('path');
  const here = dirname(realpathSync(process.argv[1]));
  const main = join(here, 'main.cjs');
  const name = `node-${process.platform}-${process.arch}`;
  let node;
  for (let folder = here; ; folder = dirname(folder)) {
    const candidate = join(folder, 'node_modules', name, 'bin', 'node');
    if (existsSync(candidate)) {
      node = candidate;
      break;
    }
    if (dirname(folder) === folder) break;
  }
  const [major = 0] = process.versions.node.split('.').map(Number);
  if (node === undefined && major >= 26) node = process.execPath;
  if (node === undefined) {
    process.stderr.write(
      `error: start strake: it needs Node 26, and this is ${process.version}; the package "${name}" that brings it is not installed\n` +
        `help: Install strake anew with optional dependencies ("npm install strake" without --omit=optional), or run it with Node 26 or newer.\n`,
    );
    process.exit(78);
  }
  const args = ['--disable-warning=ExperimentalWarning', main, ...process.argv.slice(2)];
  if (typeof process.execve === 'function' && process.platform !== 'win32') {
    process.removeAllListeners('warning');
    process.emitWarning = () => undefined;
    process.execve(node, [node, ...args], process.env);
  }
  const { spawn } = await load('child_process');
  const { constants } = await load('os');
  const child = spawn(node, args, { stdio: 'inherit' });
  // A terminal sends its signals to both, which strake takes for one.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT']) process.on(signal, () => child.kill(signal));
  child.on('error', (error) => {
    process.stderr.write(`error: start "${node}": ${error.message}\n`);
    process.exit(78);
  });
  child.on('exit', (code, signal) => process.exit(code === null ? 128 + (constants.signals[signal] || 1) : code));
})();
