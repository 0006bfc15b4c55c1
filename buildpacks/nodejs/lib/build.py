"""bin/build of strake/nodejs."""

import glob
import os
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import cnb  # noqa: E402
import install  # noqa: E402
import registry as npm  # noqa: E402
import sbom  # noqa: E402
import semver  # noqa: E402
from project import Project  # noqa: E402

ARCHITECTURES = {"amd64": "x64", "arm64": "arm64"}
MACHINES = {"x86_64": "amd64", "aarch64": "arm64"}


def long_lived(version):
    """Even lines of Node.js become those of long-term support."""
    numbers = semver.parse(version)
    return numbers is not None and numbers[0] % 2 == 0


class Build:
    def __init__(self):
        self.app = os.getcwd()
        self.project = Project(self.app)
        self.scratch = tempfile.mkdtemp(prefix="strake-nodejs-")
        self.env = {**os.environ, **cnb.trust(self.scratch)}
        for folder in cnb.bindings("npmrc"):
            if os.path.isfile(os.path.join(folder, ".npmrc")):
                self.env.setdefault("NPM_CONFIG_USERCONFIG", os.path.join(folder, ".npmrc"))
        self._registry = None
        # Development and tests want all dependencies; production what it runs with.
        self.production = cnb.exec_env() == "production"
        self.used = []

    @property
    def registry(self):
        if self._registry is None:
            self._registry = npm.Registry(self.app)
            url = self._registry.url
            for name in ("NPM_CONFIG_REGISTRY", "YARN_REGISTRY", "YARN_NPM_REGISTRY_SERVER"):
                self.env.setdefault(name, url.rstrip("/"))
            if url.startswith("http:"):
                host = url.split("/")[2].rsplit("@")[-1].rsplit(":", 1)[0]
                self.env.setdefault("YARN_UNSAFE_HTTP_WHITELIST", host)
        return self._registry

    def layer(self, name):
        self.used.append(name)
        return cnb.Layer(name)

    # Node itself

    def node(self):
        arch = os.environ.get("CNB_TARGET_ARCH") or MACHINES.get(os.uname().machine, os.uname().machine)
        if arch not in ARCHITECTURES:
            raise cnb.Failure(f'choose Node.js: there is no package of it for "{arch}"')
        package = f"node-linux-{ARCHITECTURES[arch]}"
        wanted, source = self.project.node_version()
        layer = self.layer("node")
        had = layer.was.get("version") if os.path.isfile(f"{layer.path}/bin/node") and layer.was.get("package") == package else None
        try:
            manifest = npm.choose(self.registry, package, wanted, prefer=long_lived)
        except cnb.Failure as failure:
            if had is None or layer.was.get("wanted") != wanted:
                raise
            cnb.warn(f"{failure}; the cached Node.js {had} stays")
            manifest = None
        version = manifest["version"] if manifest else had
        cnb.say(f"Node.js {version} ({source}{'' if wanted == '*' else f': {wanted}'})")
        metadata = {"package": package, "version": version, "wanted": wanted}
        if version == had:
            sha512 = layer.was.get("sha512", "")
            cnb.say("  from the cache")
        else:
            wants = lambda name: name in ("bin/node", "LICENSE")
            sha512 = self.registry.unpack(manifest, layer.empty().path, wants)
            if not os.path.isfile(f"{layer.path}/bin/node"):
                raise cnb.Failure(f"unpack {package}@{version}: it has no bin/node")
            self.libraries(layer)
        mode = "production" if self.production else "test" if cnb.exec_env() == "test" else "development"
        layer.write({**metadata, "sha512": sha512}, launch=True, build=True, cache=True)
        layer.env("NODE_ENV.default", mode)
        # What the application's packages bring as programs, for its processes.
        layer.env("PATH.prepend", f"{self.app}/node_modules/.bin", delim=":")
        layer.sbom([cnb.component("node", version, f"pkg:generic/node@{version}", licence="MIT", kind="application", sha512=sha512)])
        self.env["PATH"] = f"{layer.path}/bin:{self.env['PATH']}"
        if os.path.isdir(f"{layer.path}/lib"):
            self.env["LD_LIBRARY_PATH"] = ":".join(filter(None, [f"{layer.path}/lib", self.env.get("LD_LIBRARY_PATH")]))
        return version

    @staticmethod
    def libraries(layer):
        """Newer lines are linked with libatomic, which run images mostly lack: the build image's goes beside them."""
        for folder in ("/usr/lib", "/lib"):
            for path in sorted(glob.glob(f"{folder}/*-linux-gnu/libatomic.so.1") + glob.glob(f"{folder}/libatomic.so.1")):
                os.makedirs(f"{layer.path}/lib", exist_ok=True)
                shutil.copyfile(path, f"{layer.path}/lib/libatomic.so.1")
        env = {**os.environ, "LD_LIBRARY_PATH": ":".join(filter(None, [f"{layer.path}/lib", os.environ.get("LD_LIBRARY_PATH")]))}
        done = subprocess.run([f"{layer.path}/bin/node", "--version"], env=env, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise cnb.Failure(f"start Node.js: {done.stderr.strip() or f'it ended with {done.returncode}'}. The build image lacks what it is linked with")

    # The package manager

    def manager(self, node, launch):
        name, wanted, pinned = self.project.manager()
        layer = self.layer("manager")
        # A tool of the build alone: while the same is asked for, the one that is there will do.
        known = {"name": name, "wanted": wanted, "node": node.split(".")[0]}
        had = {field: layer.was.get(field) for field in known} == known and os.path.isdir(f"{layer.path}/bin")
        if had:
            version, sha512 = layer.was["version"], layer.was.get("sha512", "")
        else:
            manifest = install.manifest_for(self.registry, name, wanted, node)
            version = manifest["version"]
            sha512 = install.unpack_manager(self.registry, manifest, name, layer.empty(), pinned)
        cnb.say(f"{'yarn' if name == 'berry' else name} {version}{' from the cache' if had else ''}")
        layer.write({**known, "version": version, "sha512": sha512}, launch=launch, build=True, cache=True)
        layer.sbom([cnb.component(install.PACKAGES[name], version, sbom.purl(install.PACKAGES[name], version), kind="application", sha512=sha512)])
        cache = self.layer("downloads")
        # A store of another manager is of no use to this one.
        if cache.was.get("manager") != name:
            cache.empty()
        cache.write({"manager": name}, cache=True)
        self.registry  # its URL is in the environment now
        return install.Manager(name, version, layer, cache=cache.path, env=self.env)

    # Dependencies

    def scripts(self):
        """What is run to build the application."""
        said = os.environ.get("BP_NODE_RUN_SCRIPTS")
        names = ["build"] if said is None else [name.strip() for name in said.split(",") if name.strip()]
        missing = [name for name in names if name not in self.project.scripts]
        if said is not None and missing:
            raise cnb.Failure(f'run the scripts of BP_NODE_RUN_SCRIPTS: package.json has no script "{missing[0]}"')
        return [name for name in names if name in self.project.scripts]

    def run_scripts(self, manager):
        for script in self.scripts():
            manager.run(script, folder=self.app, env={"NODE_ENV": self.env.get("NODE_ENV", "production" if self.production else cnb.exec_env())})

    def in_place(self, manager):
        locked = self.project.lock(manager.name) is not None
        if not locked:
            cnb.warn("there is no lock file: another build may install other versions")
        build = bool(self.scripts()) or any(name in self.project.scripts for name in ("prepare", "postinstall"))
        all_of_them = build or not self.production
        manager.install(self.app, locked=locked, dev=all_of_them)
        self.run_scripts(manager)
        if all_of_them and self.production:
            manager.prune(self.app)
        cnb.write_sbom("launch.sbom.cdx.json", list(sbom.packages(f"{self.app}/node_modules")))

    def installed(self, name, manager, *, node, dev):
        """A layer with node_modules, made where the lock file or what else decides about it is another."""
        layer = self.layer(name)
        metadata = {
            "digest": self.project.install_digest(manager.name),
            "node": node.split(".")[0],
            "manager": f"{manager.name}@{manager.version}",
            "dev": str(dev).lower(),
        }
        if layer.is_for(metadata):
            cnb.say(f"Dependencies{' for the build' if name == 'build-modules' else ''}: unchanged, from the cache")
        else:
            cnb.say(f"Dependencies{' with those of development' if dev else ''}")
            names = install.stage(self.project, manager.name, layer.empty().path)
            manager.install(layer.path, locked=True, dev=dev)
            install.unstage(names, layer.path)
            os.makedirs(f"{layer.path}/node_modules", exist_ok=True)
            install.clean(f"{layer.path}/node_modules")
        return layer, metadata

    def link(self, layer):
        target = os.path.join(self.app, "node_modules")
        cnb.remove(target)
        os.symlink(f"{layer.path}/node_modules", target)

    def in_layers(self, manager, node):
        scripts, dev = self.scripts(), bool(self.project.dependencies("devDependencies"))
        separate = bool(scripts) and dev and self.production
        modules, metadata = self.installed("modules", manager, node=node, dev=dev and not self.production)
        modules.write(metadata, launch=True, cache=True)
        if not separate:
            self.link(modules)
            self.run_scripts(manager)
        else:
            tools, tools_metadata = self.installed("build-modules", manager, node=node, dev=True)
            tools.write(tools_metadata, build=True, cache=True)
            self.link(tools)
            before = install.fingerprint(f"{modules.path}/node_modules") | set(self._top(tools))
            self.run_scripts(manager)
            self.generated(tools, modules, before)
            self.link(modules)
        cnb.remove(f"{modules.path}/node_modules/.cache")
        modules.sbom(list(sbom.packages(f"{modules.path}/node_modules")))

    @staticmethod
    def _top(layer):
        """What the installation put there: noted on the first build, as later ones find what scripts added, too."""
        note = os.path.join(layer.path, "installed")
        if not os.path.isfile(note):
            with open(note, "w", encoding="utf-8") as file:
                file.write("\n".join(sorted(install.fingerprint(f"{layer.path}/node_modules"))))
        with open(note, encoding="utf-8") as file:
            return file.read().split("\n")

    @staticmethod
    def generated(tools, modules, before):
        """What scripts generated beside the packages (`.prisma` and its like) is the application's, too."""
        for name in sorted(install.fingerprint(f"{tools.path}/node_modules") - before):
            source, target = f"{tools.path}/node_modules/{name}", f"{modules.path}/node_modules/{name}"
            if name in (".cache", ".bin") or name.startswith(".vite"):
                continue
            cnb.say(f"  node_modules/{name} was made by the build: kept")
            cnb.remove(target)
            (shutil.copytree if os.path.isdir(source) else shutil.copyfile)(source, target)

    # All of it

    def run(self):
        node = self.node()
        web = self.project.start_command()
        test = self.project.script_command("test") if cnb.exec_env() == "test" and "test" in self.project.scripts else None
        launch = self.project.wants_manager(web) or self.project.wants_manager(test)
        installs = self.project.installs()
        if installs or self.scripts() or launch:
            manager = self.manager(node, launch)
            why = self.project.in_place(manager.name)
            if not installs:
                self.run_scripts(manager)
            elif why is None:
                self.in_layers(manager, node)
            else:
                cnb.say(f"node_modules is made anew, among the source: {why}")
                if os.path.isdir(f"{self.app}/node_modules") and not os.path.islink(f"{self.app}/node_modules"):
                    cnb.remove(f"{self.app}/node_modules")
                self.in_place(manager)
        processes = [cnb.process("web", web, default=True)] if web else []
        if test:
            processes.append(cnb.process("test", test, exec_envs=["test"]))
        if not web:
            cnb.warn("nothing says how to start: package.json has no script \"start\", and there is no server.js; a Procfile may say it")
        cnb.write_launch(processes)
        cnb.drop_unused(*self.used)


def main():
    build = Build()
    try:
        build.run()
    finally:
        shutil.rmtree(build.scratch, ignore_errors=True)


if __name__ == "__main__":
    cnb.start(main)
