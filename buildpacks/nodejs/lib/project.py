"""What the application says about itself: package.json, version files, lock files."""

import json
import os
import re
import shlex

import cnb

# Names that Node.js gave its lines of long-term support.
CODENAMES = {
    "argon": 4, "boron": 6, "carbon": 8, "dubnium": 10, "erbium": 12, "fermium": 14, "gallium": 16,
    "hydrogen": 18, "iron": 20, "jod": 22, "krypton": 24,
}  # fmt: skip
OWN_SCRIPTS = ("preinstall", "install", "postinstall", "preprepare", "prepare", "postprepare")
DEPENDENCIES = ("dependencies", "devDependencies", "optionalDependencies", "peerDependencies")


class Project:
    def __init__(self, app):
        self.app = app
        try:
            with open(self.at("package.json"), encoding="utf-8-sig") as file:
                self.json = json.load(file)
        except ValueError as error:
            raise cnb.Failure(f'read "package.json": {error}') from None
        if not isinstance(self.json, dict):
            raise cnb.Failure('read "package.json": it is no object')
        self.scripts = {name: text for name, text in self.table("scripts").items() if isinstance(text, str) and text.strip()}

    def at(self, name):
        return os.path.join(self.app, name)

    def has(self, name):
        return os.path.exists(self.at(name))

    def text(self, name):
        try:
            with open(self.at(name), encoding="utf-8-sig") as file:
                return file.read()
        except OSError:
            return None

    def table(self, name):
        found = self.json.get(name)
        return found if isinstance(found, dict) else {}

    def node_version(self):
        """(range, where it was said). A file's first line that is no comment counts."""
        said = [("BP_NODE_VERSION", os.environ.get("BP_NODE_VERSION")), ("package.json", self.table("engines").get("node"))]
        said += [(name, self.text(name)) for name in (".nvmrc", ".node-version")]
        for source, text in said:
            lines = [line.split("#")[0].strip() for line in (text or "").splitlines()] if isinstance(text, str) else []
            wanted = next((line for line in lines if line), "")
            if wanted:
                return self._range(wanted, source), source
        return "*", "no file"

    @staticmethod
    def _range(text, source):
        name = text.lower()
        if name in ("node", "current", "latest", "stable", "lts", "lts/*"):
            return "*"
        if name.startswith("lts/"):
            major = CODENAMES.get(name[4:])
            if major is None:
                raise cnb.Failure(f'read "{source}": "{text}" is no line of Node.js that is known here')
            return f"{major}.x"
        return text

    def manager(self):
        """(npm | pnpm | yarn | berry, wanted version, hash of packageManager or None). An empty version: the one that goes with Node.js."""
        said = self.json.get("packageManager")
        if isinstance(said, str) and said:
            match = re.fullmatch(r"(npm|pnpm|yarn)@(\d+\.\d+\.\d+[^+]*)(?:\+([\w-]+)\.([0-9a-fA-F]+))?", said)
            if not match:
                raise cnb.Failure(f'read "package.json": packageManager is "{said}"; wanted is npm, pnpm or yarn with its version, as "pnpm@10.1.0"')
            name = "berry" if match[1] == "yarn" and not match[2].startswith("1.") else match[1]
            return name, match[2], (match[3], match[4].lower()) if match[3] else None
        engines = self.table("engines")
        if self.has("pnpm-lock.yaml"):
            lock = re.search(r"^lockfileVersion:\s*'?(\d+)", self.text("pnpm-lock.yaml") or "", re.M)
            by_lock = {"5": "^7", "6": "^8"}.get(lock[1] if lock else "", "latest")
            return "pnpm", engines.get("pnpm") or by_lock, None
        if self.has("yarn.lock"):
            berry = re.search(r"^__metadata:", self.text("yarn.lock") or "", re.M)
            return ("berry", engines.get("yarn") or "latest", None) if berry else ("yarn", "^1.22", None)
        return "npm", os.environ.get("BP_NPM_VERSION") or engines.get("npm") or "", None

    def lock(self, manager):
        """Name of the lock file, or None."""
        names = {"npm": ("npm-shrinkwrap.json", "package-lock.json"), "pnpm": ("pnpm-lock.yaml",)}
        return next((name for name in names.get(manager, ("yarn.lock",)) if self.has(name)), None)

    def dependencies(self, *kinds):
        return {name: text for kind in kinds or DEPENDENCIES[:3] for name, text in self.table(kind).items()}

    def installs(self):
        """Whether an installation would do anything."""
        own = any(name in self.scripts for name in OWN_SCRIPTS)
        return bool(self.dependencies() or self.json.get("workspaces") or self.has("pnpm-workspace.yaml") or own)

    def in_place(self, manager):
        """Why node_modules cannot be made apart from the source, and be kept while the lock file is the same; None where it can."""
        if self.json.get("workspaces") or self.has("pnpm-workspace.yaml") and self._packages():
            return "the project has workspaces"
        if manager == "berry":
            return "yarn keeps notes there about the project"
        own = [name for name in OWN_SCRIPTS if name in self.scripts]
        if own:
            return f'its script "{own[0]}" may read any file'
        if self.lock(manager) is None:
            return "there is no lock file"
        for name, text in self.dependencies().items():
            if isinstance(text, str) and re.match(r"(file:|link:|portal:|workspace:|patch:|\.{0,2}/|~/)", text):
                return f'its dependency "{name}" lies among its files'
        if any(self.has(name) for name in (".pnpmfile.cjs", ".yarn/plugins")):
            return "it extends its package manager"
        return None

    def _packages(self):
        return re.search(r"^packages:", self.text("pnpm-workspace.yaml") or "", re.M) is not None

    def install_files(self, manager):
        """What an installation reads, beside package.json."""
        names = (".npmrc", ".yarnrc", ".yarnrc.yml", ".yarn/releases", "pnpm-workspace.yaml", "patches")
        return [name for name in (self.lock(manager), *names) if name and self.has(name)]

    def install_manifest(self):
        """package.json without what an installation apart from the source must not run."""
        scripts = {name: text for name, text in self.scripts.items() if name not in OWN_SCRIPTS}
        return json.dumps({**self.json, "scripts": scripts}, indent=1)

    def install_digest(self, manager):
        kept = {name: found for name, found in self.json.items() if name not in ("scripts", "version", "description")}
        files = [part for name in self.install_files(manager) for part in (name, cnb.contents(self.at(name)))]
        return cnb.digest_of(json.dumps(kept, sort_keys=True), *files)

    def start_command(self):
        """Of the process `web`; None where nothing says how to start."""
        if "start" in self.scripts:
            return self.script_command("start")
        names = ["server.js", self.json.get("main"), "index.js"]
        found = next((name for name in names if isinstance(name, str) and os.path.isfile(self.at(name))), None)
        return ["node", found] if found else None

    def script_command(self, name):
        """A script as npm runs it, `pre` and `post` around it, without npm: signals reach the program itself."""
        if f"pre{name}" not in self.scripts and f"post{name}" not in self.scripts:
            return cnb.command_of(self.scripts[name])
        before, after = self.scripts.get(f"pre{name}"), self.scripts.get(f"post{name}")
        words = cnb.command_of(self.scripts[name])
        own = words[2] if words[:2] == ["sh", "-c"] else f"exec {shlex.join(words)}"
        if after:
            own = f"( {self.scripts[name]}\n) && ( {after}\n)"
        return ["sh", "-c", f"( {before}\n) && {own}" if before else own]

    def wants_manager(self, command):
        """Whether a command calls a package manager."""
        return any(re.search(r"(^|[\s;&|(])(npm|npx|pnpm|pnpx|yarn)(\s|$)", word) for word in command or [])
