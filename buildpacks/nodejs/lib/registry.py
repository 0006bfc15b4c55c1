"""Packages from the npm registry that npm's own configuration names: environment, .npmrc of the application and of the user, npm itself. No registry is known to this code."""

import base64
import hashlib
import json
import os
import re
import shutil
import ssl
import subprocess
import tarfile
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request

import cnb
import semver

TIMEOUT = 60
ATTEMPTS = 3


def read_npmrc(path):
    """Keys and values of an ini file as npm reads it: `${NAME}` is the environment's."""
    found = {}
    try:
        with open(path, encoding="utf-8") as file:
            lines = file.read().splitlines()
    except OSError:
        return found
    for line in lines:
        line = line.strip()
        if not line or line[0] in ";#" or "=" not in line:
            continue
        name, text = (part.strip() for part in line.split("=", 1))
        if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'":
            text = text[1:-1]
        found[name] = re.sub(r"\$\{(\w+)\}", lambda match: os.environ.get(match[1], match[0]), text)
    return found


def configuration(app):
    """Settings of npm, the strongest first."""
    env = {}
    for name, text in os.environ.items():
        if name.lower().startswith("npm_config_") and text:
            key = name[len("npm_config_") :]
            env[key if key.startswith("//") or "@" in key else key.lower().replace("_", "-")] = text
    files = [os.path.join(app, ".npmrc")]
    files += [os.path.join(folder, ".npmrc") for folder in cnb.bindings("npmrc")]
    files += [env.get("userconfig") or os.path.expanduser("~/.npmrc"), env.get("globalconfig") or "/etc/npmrc"]
    merged = {}
    for source in [env, *(read_npmrc(path) for path in files)]:
        for key, text in source.items():
            merged.setdefault(key, text)
    return merged


def of_npm(app):
    """What an npm of the build image would ask."""
    if shutil.which("npm") is None:
        return None
    done = subprocess.run(["npm", "config", "get", "registry"], cwd=app, capture_output=True, text=True, check=False)
    text = done.stdout.strip()
    return text if done.returncode == 0 and text.startswith("http") else None


def of_lock(app):
    """Where the application's lock file says that packages came from."""
    for name in ("package-lock.json", "npm-shrinkwrap.json", "yarn.lock"):
        try:
            with open(os.path.join(app, name), encoding="utf-8") as file:
                match = re.search(r"[\"\s](https?://[^\"\s]+?)/(?:@[^/\"\s]+(?:/|%2[fF]))?[^/\"\s]+/-/[^/\"\s]+\.tgz", file.read())
        except OSError:
            continue
        if match:
            return match[1]
    return None


class Registry:
    """One npm registry. `url` ends in a slash."""

    def __init__(self, app):
        self.settings = configuration(app)
        found = self.settings.get("registry") or of_npm(app) or of_lock(app)
        if not found:
            raise cnb.Failure(
                "find the npm registry: neither NPM_CONFIG_REGISTRY, nor an .npmrc of the application or of a binding of type npmrc, "
                "nor its lock file names one. Set NPM_CONFIG_REGISTRY for the build"
            )
        parts = urllib.parse.urlsplit(found)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise cnb.Failure(f'find the npm registry: "{shown(found)}" is no http or https URL')
        self.url = found.rstrip("/") + "/"

    def _login(self, url):
        """The Authorization header for a URL: of the longest `//host/path/` that it lies under."""
        rest = urllib.parse.urlsplit(url)
        scope = f"//{rest.netloc}{rest.path}"
        while scope.count("/") > 2:
            scope = scope[: scope.rstrip("/").rfind("/") + 1]
            get = lambda name, at=scope: self.settings.get(f"{at}:{name}") or self.settings.get(f"{at.rstrip('/')}:{name}")
            if get("_authToken"):
                return f"Bearer {get('_authToken')}"
            if get("_auth"):
                return f"Basic {get('_auth')}"
            if get("username") and get("_password"):
                password = base64.b64decode(get("_password")).decode()
                return "Basic " + base64.b64encode(f"{get('username')}:{password}".encode()).decode()
        return None

    def open(self, url, accept=None):
        request = urllib.request.Request(url)
        # Not repeated to where a redirection leads.
        login = self._login(url)
        if login:
            request.add_unredirected_header("Authorization", login)
        if accept:
            request.add_header("Accept", accept)
        for attempt in range(ATTEMPTS):
            try:
                return urllib.request.urlopen(request, timeout=TIMEOUT)
            except urllib.error.HTTPError as error:
                if error.code < 500 and error.code != 429 or attempt + 1 == ATTEMPTS:
                    raise cnb.Failure(f'fetch "{shown(url)}": the registry answered {error.code}') from None
            except (urllib.error.URLError, OSError) as error:
                if isinstance(getattr(error, "reason", error), ssl.SSLCertVerificationError):
                    raise cnb.Failure(
                        f'fetch "{shown(url)}": its certificate is signed by an authority that is not known here. '
                        "Hand the authority in: a service binding of type ca-certificates"
                    ) from None
                if attempt + 1 == ATTEMPTS:
                    raise cnb.Failure(f'fetch "{shown(url)}": {getattr(error, "reason", error)}') from None
            time.sleep(attempt + 1)
        raise AssertionError

    def _json(self, path, accept):
        with self.open(self.url + path, accept) as answer:
            try:
                return json.load(answer)
            except ValueError as error:
                raise cnb.Failure(f'fetch "{shown(self.url + path)}": the answer is no JSON: {error}') from None

    def package(self, name):
        """All versions: the abbreviated document of the registry's interface."""
        return self._json(name.replace("/", "%2f"), "application/vnd.npm.install-v1+json, application/json;q=0.8")

    def version(self, name, version):
        """One version, or a dist-tag."""
        return self._json(f"{name.replace('/', '%2f')}/{version}", "application/json")

    def unpack(self, manifest, target, wanted=None):
        """A package's files into `target`, their first folder dropped. `wanted` chooses among the names. Gives SHA-512 in hex of the tarball, which is verified."""
        name, version, dist = manifest["name"], manifest["version"], manifest["dist"]
        url = self._tarball(name, dist["tarball"])
        what = f"{name}@{version}"
        with tempfile.TemporaryFile() as held:
            sha512, sha1 = hashlib.sha512(), hashlib.sha1()
            with self.open(url) as answer:
                for block in iter(lambda: answer.read(1 << 20), b""):
                    sha512.update(block)
                    sha1.update(block)
                    held.write(block)
            verify(what, dist, sha512, sha1)
            held.seek(0)
            extract(what, held, target, wanted)
        return sha512.hexdigest()

    def _tarball(self, name, url):
        """At this registry, whatever host a mirror's documents name; as npm does with `replace-registry-host=always`."""
        parts = url.split("/-/", 1)
        return f"{self.url}{name}/-/{parts[1]}" if len(parts) == 2 and not url.startswith(self.url) else url


def shown(url):
    """Without what logs in."""
    return re.sub(r"//[^/@\s]*@", "//", url.split("?")[0])


def verify(what, dist, sha512, sha1):
    """Fails unless the strongest digest that the registry gave is the content's."""
    said = [one for one in (dist.get("integrity") or "").split() if one.startswith("sha512-")]
    if said:
        good = any(one[7:].split("?")[0] == base64.b64encode(sha512.digest()).decode() for one in said)
    elif dist.get("shasum"):
        good = dist["shasum"].lower() == sha1.hexdigest()
    else:
        raise cnb.Failure(f"fetch {what}: the registry gives no digest for it")
    if not good:
        raise cnb.Failure(f"fetch {what}: the content is not what the registry's digest says")


def extract(what, held, target, wanted):
    """A package's files; links, devices and paths that lead out are refused."""
    try:
        with tarfile.open(fileobj=held, mode="r:*") as archive:
            for member in archive:
                name = member.name.partition("/")[2]
                if not name or member.isdir() or (wanted and not wanted(name)):
                    continue
                if not member.isreg() or name.startswith("/") or ".." in name.split("/"):
                    raise cnb.Failure(f'unpack {what}: refused "{member.name}"')
                path = os.path.join(target, name)
                os.makedirs(os.path.dirname(path), exist_ok=True)
                with archive.extractfile(member) as source, open(path, "wb") as file:
                    shutil.copyfileobj(source, file, 1 << 20)
                os.chmod(path, 0o755 if member.mode & 0o111 else 0o644)
    except tarfile.TarError as error:
        raise cnb.Failure(f"unpack {what}: {error}") from None


def choose(registry, name, wanted, prefer=None):
    """The manifest of the newest version in a range, or of a version named exactly, or of a dist-tag. `prefer` tells versions that go before others."""
    if re.fullmatch(r"[v=]?\d+\.\d+\.\d+(?:-[0-9A-Za-z.-]+)?", wanted):
        return registry.version(name, wanted.lstrip("v="))
    if re.fullmatch(r"[A-Za-z][\w.-]*", wanted) and wanted.lower() != "x":
        return registry.version(name, wanted)
    versions = registry.package(name)["versions"]
    try:
        found = (semver.newest(filter(prefer, versions), wanted) if prefer else None) or semver.newest(versions, wanted)
    except ValueError as error:
        raise cnb.Failure(f'choose a version of {name}: "{wanted}": {error}') from None
    if found is None:
        raise cnb.Failure(f'choose a version of {name}: the registry has none in "{wanted}"')
    return versions[found]
