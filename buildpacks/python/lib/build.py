"""bin/build of strake/python."""

import glob
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from email.parser import HeaderParser
from urllib.parse import quote

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import cnb  # noqa: E402
import debian  # noqa: E402
import requirements  # noqa: E402

FORMAT = "1"  # of the layers: another makes all of them anew


def distribution():
    found = {}
    with open("/etc/os-release", encoding="utf-8") as file:
        for line in file:
            name, _, text = line.strip().partition("=")
            found[name] = text.strip("\"'")
    return found.get("ID", "debian")


def python_layer(layer):
    """Debian's Python, for the build and at run time."""
    state = debian.state()
    if layer.was.get("state") == state and layer.was.get("format") == FORMAT and os.path.isfile(f"{layer.path}/bin/python3"):
        version, cached = layer.was["version"], True
    else:
        version, cached = debian.copy(layer.empty().path), False
        compiled(layer.path, f"{layer.path}/bin/python3", f"{layer.path}/lib")
    cnb.say(f"Python {version}, of {distribution()}{', from the cache' if cached else ''}")
    layer.write({"format": FORMAT, "state": state, "version": version}, launch=True, build=True, cache=True)
    name = distribution()
    layer.sbom([cnb.component(part, number, f"pkg:deb/{name}/{quote(part, safe='')}@{quote(number, safe='')}?arch={arch}") for part, number, arch in debian.parts()])
    for folder in ("env.launch", "env.build"):
        layer.env("PYTHONUNBUFFERED.default", "1", folder=folder)
        layer.env("PYTHONDONTWRITEBYTECODE.default", "1", folder=folder)
    return version


def environment(layer):
    """For programs that use the layer before the platform has put it into the environment."""
    env = {name: text for name, text in os.environ.items() if name not in ("PYTHONHOME", "PYTHONPATH")}
    env["PATH"] = f"{layer.path}/bin:{env.get('PATH', '/usr/bin:/bin')}"
    env["LD_LIBRARY_PATH"] = ":".join(filter(None, [f"{layer.path}/lib", env.get("LD_LIBRARY_PATH")]))
    env["PYTHONDONTWRITEBYTECODE"] = "1"
    return env


def compiled(root, python, folder):
    """Compiles all modules. The result holds for the source's content, not for its time, which an image does not keep; sorted and in one process it is the same bytes each time."""
    code = "import compileall, sys; compileall.compile_dir(sys.argv[2], quiet=2, force=True, stripdir=sys.argv[1], prependdir=sys.argv[1], workers=1, invalidation_mode=__import__('py_compile').PycInvalidationMode.UNCHECKED_HASH, maxlevels=50)"
    env = {**os.environ, "PYTHONHASHSEED": "0", "LD_LIBRARY_PATH": ":".join(filter(None, [f"{root}/lib", os.environ.get("LD_LIBRARY_PATH")]))}
    cnb.call([python, "-I", "-c", code, root, folder], env=env, what="compile Python's modules")


def pip_command(env):
    """pip of the build image: its package, or the wheel that comes with python3-venv."""
    wheels = sorted(glob.glob("/usr/share/python-wheels/pip-*.whl"))
    if wheels:
        return ["python3", f"{wheels[-1]}/pip"], env
    done = subprocess.run(["/usr/bin/python3", "-m", "pip", "--version"], capture_output=True, check=False)
    if done.returncode == 0:
        return ["/usr/bin/python3", "-m", "pip"], {**env, "LD_LIBRARY_PATH": os.environ.get("LD_LIBRARY_PATH", "")}
    raise cnb.Failure("find pip: the build image has neither the package python3-venv nor python3-pip")


class Packages:
    """The virtual environment with what pip installs."""

    def __init__(self, app, python, version):
        self.app = app
        self.python = python
        self.version = version
        # By name after `python`: its programs are found before that one's (buildpack.md, Layer Paths, in the order of names).
        self.layer = cnb.Layer("venv")
        self.downloads = cnb.Layer("downloads")

    def install(self, name, words, scratch):
        why = None if words == ["-r", name] else "the application itself is installed"
        parts = []
        if why is None:
            parts, why = requirements.read(self.app, name)
        production = cnb.exec_env() == "production"
        extra = "requirements-dev.txt" if os.path.isfile(os.path.join(self.app, "requirements-dev.txt")) else "requirements-test.txt"
        if not production and os.path.isfile(os.path.join(self.app, extra)):
            words = [*words, "-r", extra]
            more, also = requirements.read(self.app, extra)
            parts, why = parts + more, why or also
        settings = [f"{key}={text}" for key, text in sorted(os.environ.items()) if re.match(r"PIP_(INDEX_URL|EXTRA_INDEX_URL|FIND_LINKS|NO_BINARY|ONLY_BINARY|CONSTRAINT|PRE)$", key)]
        digest = cnb.digest_of(json.dumps(words), *parts, *settings)
        metadata = {"format": FORMAT, "digest": digest, "state": self.python.was_written["state"], "env": cnb.exec_env()}
        if why is None and self.layer.is_for(metadata):
            cnb.say(f"Packages of {name}: unchanged, from the cache")
        else:
            cnb.say(f"Packages of {name}{f' ({why})' if why else ''}")
            self._install(words, scratch)
        self.layer.write(metadata, launch=True, build=True, cache=why is None)
        self.layer.env("VIRTUAL_ENV.override", self.layer.path)
        found = self.distributions()
        self.layer.sbom([cnb.component(one, number, f"pkg:pypi/{normal(one)}@{quote(number, safe='')}", licence=licence) for one, number, licence in found])
        return {normal(one) for one, _, _ in found}

    def _install(self, words, scratch):
        env = {**environment(self.python), **cnb.trust(scratch)}
        path = self.layer.empty().path
        cnb.call(["python3", "-m", "venv", "--without-pip", path], env=env, what="make the virtual environment")
        os.makedirs(self.downloads.path, exist_ok=True)
        self.downloads.write({}, cache=True)
        pip, env = pip_command(env)
        env = {**env, "PIP_CACHE_DIR": self.downloads.path, "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_INPUT": "1", "PYTHONHASHSEED": "0"}
        for folder in cnb.bindings("pip"):
            if os.path.isfile(os.path.join(folder, "pip.conf")):
                env["PIP_CONFIG_FILE"] = os.path.join(folder, "pip.conf")
        command = [*pip, "--python", f"{path}/bin/python3", "install", "--no-compile", "--no-warn-script-location", "--root-user-action=ignore", *words]
        cnb.say(f"  pip install {' '.join(words)}")
        cnb.call(command, env=env, cwd=self.app, what=f'run "pip install {" ".join(words)}"')
        self._tidy(path)
        compiled(self.python.path, f"{path}/bin/python3", f"{path}/lib")

    @staticmethod
    def _tidy(path):
        # Names the folder of this build, and what was typed; nothing reads it here.
        for name in glob.glob(f"{path}/lib/python3*/site-packages/*.dist-info/direct_url.json"):
            os.unlink(name)
        for name in os.listdir(f"{path}/bin"):
            if name.lower().startswith("activate"):
                os.unlink(f"{path}/bin/{name}")
        cnb.remove(f"{path}/lib64")

    def distributions(self):
        """(name, version, licence) of all that lies in the environment."""
        found = []
        for path in sorted(glob.glob(f"{self.layer.path}/lib/python3*/site-packages/*.dist-info/METADATA")):
            with open(path, encoding="utf-8", errors="replace") as file:
                headers = HeaderParser().parse(file)
            licence = headers.get("License-Expression") or headers.get("License") or ""
            licence = licence.strip().split("\n")[0]
            found.append((headers["Name"], headers["Version"], licence if 0 < len(licence) < 80 and licence != "UNKNOWN" else None))
        return found


def normal(name):
    """As PyPA's specification of names compares them."""
    return re.sub(r"[-_.]+", "-", name).lower()


def main():
    app, scratch = os.getcwd(), tempfile.mkdtemp(prefix="strake-python-")
    try:
        python = cnb.Layer("python")
        version = python_layer(python)
        wanted = os.environ.get("BP_CPYTHON_VERSION")
        if wanted and not f"{version}.".startswith(wanted.rstrip("*").rstrip(".") + "."):
            raise cnb.Failure(f'choose Python: BP_CPYTHON_VERSION is "{wanted}", the build image has {version}')
        python.was_written = {"state": debian.state()}
        name, words = requirements.manifest(app)
        used, installed = ["python"], set()
        if name:
            installed = Packages(app, python, version).install(name, words, scratch)
            used += ["venv", "downloads"]
        web = requirements.web_command(app)
        processes = [cnb.process("web", web, default=True)] if web else []
        test = requirements.test_command(app, installed) if cnb.exec_env() == "test" else None
        if test:
            processes.append(cnb.process("test", test, exec_envs=["test"]))
        if not web:
            cnb.warn("nothing says how to start: there is neither main.py nor app.py; a Procfile may say it")
        cnb.write_launch(processes)
        cnb.drop_unused(*used)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


if __name__ == "__main__":
    cnb.start(main)
