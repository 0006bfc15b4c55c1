"""What the buildpacks here share: the platform's side of buildpack.md. Each has its own copy, the same bytes; buildpacks/tests compares them."""

import hashlib
import json
import os
import re
import shlex
import shutil
import subprocess
import sys


class Failure(Exception):
    """What a person reads; ends the build."""


def start(main):
    """Runs `main`; a failure is one message, never a traceback. CNB_BUILDPACK_DEBUG=1 shows one."""
    os.umask(0o022)
    try:
        main()
    except Failure as failure:
        print(f"error: {failure}", file=sys.stderr)
        sys.exit(1)
    except (OSError, ValueError, KeyError) as error:
        if os.environ.get("CNB_BUILDPACK_DEBUG") == "1":
            raise
        print(f"error: {type(error).__name__}: {error}", file=sys.stderr)
        sys.exit(1)


def say(text):
    print(text, flush=True)


def warn(text):
    print(f"warning: {text}", flush=True)


# TOML

def quoted(text):
    """A basic string: as JSON's, but for DEL."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def value(item):
    if isinstance(item, bool):
        return "true" if item else "false"
    if isinstance(item, int):
        return str(item)
    if isinstance(item, list):
        return "[" + ", ".join(value(one) for one in item) + "]"
    return quoted(str(item))


def key(name):
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else quoted(name)


def table(header, items):
    lines = [header] if header else []
    return "\n".join(lines + [f"{key(name)} = {value(item)}" for name, item in items.items()]) + "\n"


def toml_parser():
    """Python's own from 3.11 on, else one that pip brings; None where there is neither."""
    for name in ("tomllib", "tomli", "pip._vendor.tomli"):
        try:
            return __import__(name, fromlist=["loads"])
        except ImportError:
            continue
    return None


def read_toml(path):
    """The file's tables; None where there is no such file. Fails for one that is no TOML."""
    parser = toml_parser()
    if not os.path.isfile(path):
        return None
    if parser is None:
        raise Failure(f'read "{os.path.basename(path)}": this build image has neither Python 3.11 nor pip, so TOML cannot be read')
    with open(path, "rb") as file:
        try:
            return parser.loads(file.read().decode())
        except (UnicodeDecodeError, ValueError) as error:
            raise Failure(f'read "{os.path.basename(path)}": {error}') from None


# Layers

def layers_dir():
    return os.environ.get("CNB_LAYERS_DIR") or sys.argv[1]


def platform_dir():
    return os.environ.get("CNB_PLATFORM_DIR") or sys.argv[2]


def exec_env():
    return os.environ.get("CNB_EXEC_ENV") or "production"


class Layer:
    """A folder under the layers folder, with what an earlier build wrote about it."""

    def __init__(self, name):
        self.name = name
        self.path = os.path.join(layers_dir(), name)
        self.was = self._metadata()

    def _metadata(self):
        # Written by us, so flat: strings alone. A platform may have written it anew, which keeps that.
        try:
            with open(f"{self.path}.toml", encoding="utf-8") as file:
                text = file.read()
        except OSError:
            return {}
        found = re.findall(r"^\s*([A-Za-z0-9_-]+)\s*=\s*(\"(?:[^\"\\]|\\.)*\"|'[^']*')\s*$", text, re.M)
        return {name: (item[1:-1] if item[0] == "'" else json.loads(item)) for name, item in found}

    def is_for(self, metadata):
        """Whether what lies there was made for the same."""
        return os.path.isdir(self.path) and self.was == metadata

    def empty(self):
        """Begins anew."""
        for path in (self.path, f"{self.path}.toml"):
            remove(path)
        os.makedirs(self.path)
        return self

    def write(self, metadata, *, launch=False, build=False, cache=False):
        os.makedirs(self.path, exist_ok=True)
        with open(f"{self.path}.toml", "w", encoding="utf-8") as file:
            file.write(table("[types]", {"launch": launch, "build": build, "cache": cache}))
            file.write("\n" + table("[metadata]", metadata))

    def env(self, name, text, *, folder="env.launch", delim=None):
        """`name` has the action: `PATH.prepend`."""
        path = os.path.join(self.path, folder)
        os.makedirs(path, exist_ok=True)
        with open(os.path.join(path, name), "w", encoding="utf-8") as file:
            file.write(text)
        if delim is not None:
            self.env(f"{name.split('.')[0]}.delim", delim, folder=folder)

    def sbom(self, components):
        write_sbom(f"{self.name}.sbom.cdx.json", components)


def drop_unused(*used):
    """Removes what restored layers are not wanted any more."""
    for entry in os.listdir(layers_dir()):
        name = entry[: -len(".toml")] if entry.endswith(".toml") else entry
        if os.path.isdir(os.path.join(layers_dir(), name)) and name not in used:
            for path in (name, f"{name}.toml", f"{name}.sbom.cdx.json"):
                remove(os.path.join(layers_dir(), path))


def remove(path):
    if os.path.islink(path) or os.path.isfile(path):
        os.unlink(path)
    elif os.path.isdir(path):
        shutil.rmtree(path)


# launch.toml

def process(kind, command, *, default=False, exec_envs=None):
    items = {"type": kind, "command": command}
    if default:
        items["default"] = True
    if exec_envs:
        items["exec-env"] = exec_envs
    return items


def write_launch(processes=(), labels=()):
    parts = [table("[[labels]]", {"key": name, "value": text}) for name, text in labels]
    parts += [table("[[processes]]", one) for one in processes]
    if not parts:
        return
    with open(os.path.join(layers_dir(), "launch.toml"), "w", encoding="utf-8") as file:
        file.write("\n".join(parts))


SHELL = re.compile(r"[|&;<>()$`*?\[\]#~!{}\n]|^\w+=")


def command_of(text):
    """The words of a command line, where no shell is needed to read it; else a shell with it."""
    text = text.strip()
    if not SHELL.search(text):
        try:
            words = shlex.split(text)
        except ValueError as error:
            raise Failure(f'read the command "{text}": {error}') from None
        if words:
            return words
    # One command, variables set before it perhaps: the shell gives way to it, so that signals reach it.
    one = re.fullmatch(r"((?:\w+=(?:[^\s'\"`$|&;<>()]*)\s+)*)([^|&;<()\n`]+)", text)
    return ["sh", "-c", f"{one[1]}exec {one[2]}" if one and not re.match(r"\w+=", one[2]) else text]


# SBOM

def write_sbom(name, components):
    """CycloneDX 1.5. No time and no serial number: the same components are the same bytes."""
    unique = {json.dumps(one, sort_keys=True): one for one in components}
    ordered = sorted(unique.values(), key=lambda one: (one.get("purl") or "", one["name"], one.get("version") or ""))
    document = {"bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1, "components": ordered}
    with open(os.path.join(layers_dir(), name), "w", encoding="utf-8") as file:
        json.dump(document, file, ensure_ascii=False, indent=1)
        file.write("\n")


def component(name, version, purl, *, licence=None, kind="library", sha512=None):
    found = {"type": kind, "name": name, "version": version, "purl": purl, "bom-ref": purl}
    if licence:
        # An `id` would have to be one of SPDX's list.
        composed = re.search(r"\b(AND|OR|WITH)\b", licence)
        found["licenses"] = [{"expression": licence} if composed else {"license": {"name": licence}}]
    if sha512:
        found["hashes"] = [{"alg": "SHA-512", "content": sha512}]
    return found


# What the platform hands in

def bindings(kind):
    """Folders of service bindings (servicebinding.io) of this type, by name."""
    root = os.environ.get("SERVICE_BINDING_ROOT") or os.path.join(platform_dir(), "bindings")
    found = []
    for name in sorted(os.listdir(root)) if os.path.isdir(root) else []:
        try:
            with open(os.path.join(root, name, "type"), encoding="utf-8") as file:
                said = file.read().strip()
        except OSError:
            continue
        if said.lower() == kind:
            found.append(os.path.join(root, name))
    return found


def trust(folder):
    """Certificate authorities of bindings of type `ca-certificates`, added to the system's: environment for what is started. `folder` holds the files."""
    files = [os.path.join(one, name) for one in bindings("ca-certificates") for name in sorted(os.listdir(one))]
    texts = []
    for path in files:
        if os.path.isfile(path):
            with open(path, encoding="utf-8", errors="replace") as file:
                text = file.read()
            if "-----BEGIN CERTIFICATE-----" in text:
                texts.append(text)
    if not texts:
        return {}
    ours, all_of_them = os.path.join(folder, "bound.pem"), os.path.join(folder, "all.pem")
    system = os.environ.get("SSL_CERT_FILE") or "/etc/ssl/certs/ca-certificates.crt"
    with open(ours, "w", encoding="utf-8") as file:
        file.write("\n".join(texts))
    with open(all_of_them, "w", encoding="utf-8") as file:
        if os.path.isfile(system):
            with open(system, encoding="utf-8") as known:
                file.write(known.read() + "\n")
        file.write("\n".join(texts))
    added = {"SSL_CERT_FILE": all_of_them, "PIP_CERT": all_of_them, "NODE_EXTRA_CA_CERTS": ours}
    os.environ.update(added)
    return added


def digest_of(*parts):
    """One SHA-256 of texts and bytes, in order."""
    total = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        total.update(len(data).to_bytes(8, "big") + data)
    return total.hexdigest()


def contents(path):
    """Bytes of a file, or of all files of a folder with their names; empty where there is none."""
    if os.path.isfile(path):
        with open(path, "rb") as file:
            return file.read()
    total = b""
    for folder, folders, files in os.walk(path):
        folders.sort()
        for name in sorted(files):
            full = os.path.join(folder, name)
            if os.path.isfile(full):
                total += f"{os.path.relpath(full, path)}\0".encode() + contents(full)
    return total


def call(command, *, env=None, cwd=None, what=None):
    """Runs a program, its output ours; fails with its name."""
    sys.stdout.flush()
    try:
        done = subprocess.run(command, env=env, cwd=cwd, stdin=subprocess.DEVNULL, check=False)
    except FileNotFoundError:
        raise Failure(f'run "{command[0]}": there is no such program in the build image') from None
    if done.returncode != 0:
        raise Failure(f'{what or " ".join(command)}: ended with {done.returncode}')
