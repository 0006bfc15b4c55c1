"""The package manager: which, from where, and how it installs, builds and prunes."""

import hashlib
import os
import shutil

import cnb
import registry as npm
import semver

PACKAGES = {"npm": "npm", "pnpm": "pnpm", "yarn": "yarn", "berry": "@yarnpkg/cli-dist"}
PROGRAMS = {
    "npm": {"npm": "bin/npm-cli.js", "npx": "bin/npx-cli.js"},
    "pnpm": {"pnpm": "bin/pnpm.cjs", "pnpx": "bin/pnpx.cjs"},
    "yarn": {"yarn": "bin/yarn.js"},
    "berry": {"yarn": "bin/yarn.js"},
}


# The line of npm that comes with a line of Node.js: what lock files and install scripts were written for.
NPM_OF_NODE = {"14": "^6", "16": "^8", "18": "^10", "20": "^10", "22": "^10", "24": "^11", "26": "^11"}


def manifest_for(registry, name, wanted, node):
    """The manager's version: the wanted one, or the newest that runs on this Node; npm's of the line that comes with it."""
    package = PACKAGES[name]
    if wanted == "":
        wanted = NPM_OF_NODE.get(node.split(".")[0], "latest")
    found = npm.choose(registry, package, wanted)
    engine = (found.get("engines") or {}).get("node")
    if wanted != "latest" or not engine or _fits(node, engine):
        return found
    document = registry.package(package)["versions"]
    fitting = [version for version, one in document.items() if _fits(node, (one.get("engines") or {}).get("node") or "*")]
    best = semver.newest(fitting, "*")
    if best is None:
        raise cnb.Failure(f"choose a version of {package}: none runs on Node.js {node}")
    return document[best]


def _fits(node, engine):
    try:
        return semver.satisfies(node, engine)
    except ValueError:
        return False


class Manager:
    """A package manager that is installed in `layer`."""

    def __init__(self, name, version, layer, *, cache, env):
        self.name = name
        self.version = version
        self.layer = layer
        settings = {
            "npm": {"NPM_CONFIG_CACHE": cache, "NPM_CONFIG_LOGS_MAX": "0"},
            "pnpm": {"NPM_CONFIG_STORE_DIR": cache, "PNPM_CONFIG_STORE_DIR": cache, "XDG_CACHE_HOME": f"{cache}/.metadata", "PNPM_CONFIG_MANAGE_PACKAGE_MANAGER_VERSIONS": "false", "NPM_CONFIG_MANAGE_PACKAGE_MANAGER_VERSIONS": "false"},
            "yarn": {"YARN_CACHE_FOLDER": cache},
            "berry": {"YARN_GLOBAL_FOLDER": cache, "YARN_ENABLE_GLOBAL_CACHE": "true", "YARN_NODE_LINKER": "node-modules", "YARN_ENABLE_TELEMETRY": "0", "YARN_IGNORE_PATH": "1"},
        }
        quiet = {"CI": "true", "NPM_CONFIG_AUDIT": "false", "NPM_CONFIG_FUND": "false", "NPM_CONFIG_UPDATE_NOTIFIER": "false"}
        self.env = {**env, **quiet, **settings[name]}
        self.env["PATH"] = f"{layer.path}/bin:{env['PATH']}"

    def _call(self, *words, cwd, env=None):
        program = "yarn" if self.name == "berry" else self.name
        cnb.say(f"  {program} {' '.join(words)}")
        # By path: what an application keeps in node_modules/.bin is not asked.
        cnb.call([f"{self.layer.path}/bin/{program}", *words], cwd=cwd, env={**self.env, **(env or {})}, what=f"run \"{program} {' '.join(words)}\"")

    def install(self, folder, *, locked, dev):
        """As the lock file says, or as package.json does where there is none."""
        if self.name == "npm":
            words = ["ci" if locked else "install", "--include=dev" if dev else "--omit=dev", "--prefer-offline"]
        elif self.name == "pnpm":
            words = ["install", "--frozen-lockfile" if locked else "--no-frozen-lockfile", "--prefer-offline"]
            words += ["--prod=false"] if dev else ["--prod"]
        elif self.name == "yarn":
            words = ["install", "--non-interactive", "--prefer-offline", f"--production={'false' if dev else 'true'}"]
            words += ["--frozen-lockfile"] if locked else ["--no-lockfile"]
        elif dev:
            words = ["install", "--immutable"] if locked else ["install", "--no-immutable"]
        else:
            self._focus(folder)
            return
        self._call(*words, cwd=folder, env={"NODE_ENV": "development" if dev else "production"})

    def prune(self, folder):
        """Takes away, where it stands, what only development needs."""
        production = {"NODE_ENV": "production"}
        if self.name == "npm":
            self._call("prune", "--omit=dev", "--ignore-scripts", cwd=folder, env=production)
        elif self.name == "pnpm":
            self._call("prune", "--prod", "--ignore-scripts", cwd=folder, env=production)
        elif self.name == "yarn":
            self._call("install", "--production=true", "--ignore-scripts", "--prefer-offline", "--non-interactive", cwd=folder, env=production)
        else:
            self._focus(folder)

    def _focus(self, folder):
        if int(self.version.split(".")[0]) < 4:
            cnb.warn(f"yarn {self.version} cannot install for production alone: what development needs stays in the image")
            self._call("install", "--immutable", cwd=folder)
        else:
            self._call("workspaces", "focus", "--all", "--production", cwd=folder)

    def run(self, script, *, folder, env):
        words = ["run", script]
        self._call(*words, cwd=folder, env=env)


def unpack_manager(registry, manifest, name, layer, pinned):
    """Unpacks a manager into its layer, with programs in `bin`. `pinned` is packageManager's own hash of the tarball, which must be its."""
    target = os.path.join(layer.path, "package")
    sha512 = registry.unpack(manifest, target)
    if pinned and pinned[0] == "sha512" and pinned[1] != sha512:
        raise cnb.Failure(f"fetch {manifest['name']}@{manifest['version']}: it is not what packageManager's hash says")
    bins = os.path.join(layer.path, "bin")
    os.makedirs(bins)
    for program, path in PROGRAMS[name].items():
        full = os.path.join(target, path)
        # pnpm 11 and later are modules.
        full = next((one for one in (full, full.replace(".cjs", ".mjs")) if os.path.isfile(one)), None)
        if full is None:
            if program in ("npx", "pnpx"):
                continue
            raise cnb.Failure(f"unpack {manifest['name']}@{manifest['version']}: it has no {path}")
        os.chmod(full, 0o755)
        os.symlink(os.path.relpath(full, bins), os.path.join(bins, program))
    return sha512


def clean(modules):
    """Takes away what a manager notes about its own runs: times, paths and hosts that make the layer another each time."""
    for name in (".package-lock.json", ".modules.yaml", ".pnpm-workspace-state.json", ".pnpm-workspace-state-v1.json", ".cache", ".yarn-state.yml"):
        cnb.remove(os.path.join(modules, name))


def stage(project, manager, folder):
    """Puts what an installation reads into a folder, to install there."""
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "package.json"), "w", encoding="utf-8") as file:
        file.write(project.install_manifest())
    names = project.install_files(manager)
    for name in names:
        target = os.path.join(folder, name)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        (shutil.copytree if os.path.isdir(project.at(name)) else shutil.copyfile)(project.at(name), target)
    return ["package.json", *names]


def unstage(names, folder):
    for name in {name.split("/")[0] for name in names}:
        cnb.remove(os.path.join(folder, name))


def fingerprint(modules):
    """Names at the top of node_modules: what a build script adds there is seen by it."""
    return set(os.listdir(modules)) if os.path.isdir(modules) else set()


def file_sha512(path):
    total = hashlib.sha512()
    with open(path, "rb") as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            total.update(block)
    return total.hexdigest()
