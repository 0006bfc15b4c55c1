"""The pure parts of strake/nodejs."""

import base64
import hashlib
import io
import json
import os
import sys
import tarfile
import tempfile
import unittest
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

LIB = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../nodejs/lib")
sys.path.insert(0, LIB)

import cnb  # noqa: E402
import install  # noqa: E402
import registry  # noqa: E402
import sbom  # noqa: E402
import semver  # noqa: E402
from project import Project  # noqa: E402


def app(files):
    """A folder with these files; given to a test that ends with it."""
    folder = tempfile.TemporaryDirectory()
    for name, content in files.items():
        path = os.path.join(folder.name, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(content if isinstance(content, str) else json.dumps(content))
    return folder


class Ranges(unittest.TestCase):
    # node-semver's README, "Advanced Range Syntax".
    CASES = [
        ("1.2.7", ">=1.2.7", True), ("1.2.6", ">=1.2.7", False), ("2.5.3", ">=1.2.7", True),
        ("1.2.8", ">=1.2.7 <1.3.0", True), ("1.3.0", ">=1.2.7 <1.3.0", False),
        ("1.2.9", "1.2.7 || >=1.2.9 <2.0.0", True), ("1.2.8", "1.2.7 || >=1.2.9 <2.0.0", False),
        ("2.3.4", "1.2.3 - 2.3.4", True), ("2.3.5", "1.2.3 - 2.3.4", False),
        ("1.2.0", "1.2 - 2.3.4", True), ("2.3.99", "1.2.3 - 2.3", True), ("2.4.0", "1.2.3 - 2.3", False), ("3.0.0", "1.2.3 - 2", False),
        ("7.8.9", "*", True), ("7.8.9", "", True), ("1.9.0", "1.x", True), ("2.0.0", "1.x", False), ("1.2.5", "1.2.X", True), ("1.9.9", "1", True),
        ("1.2.9", "~1.2.3", True), ("1.3.0", "~1.2.3", False), ("1.2.0", "~1.2", True), ("1.9.0", "~1", True), ("2.0.0", "~1", False), ("0.2.9", "~0.2.3", True),
        ("1.9.9", "^1.2.3", True), ("2.0.0", "^1.2.3", False), ("0.2.9", "^0.2.3", True), ("0.3.0", "^0.2.3", False), ("0.0.4", "^0.0.3", False),
        ("1.2.9", "^1.2.x", True), ("0.0.9", "^0.0.x", True), ("0.1.0", "^0.0", False), ("0.9.9", "^0.x", True), ("1.0.0", "^0.x", False),
        ("20.1.0", ">= 18", True), ("18.9.9", ">18", False), ("19.0.0", ">18", True), ("18.9.9", "<=18", True), ("18.0.0", "<18", False), ("22.4.1", "v22", True),
        ("1.0.0", ">*", False), ("1.2.3", "=1.2.3", True), ("1.2.3-rc.1", "*", False),
    ]  # fmt: skip

    def test_ranges(self):
        for version, text, expected in self.CASES:
            with self.subTest(f"{version} in {text}"):
                self.assertEqual(semver.satisfies(version, text), expected)

    def test_the_newest(self):
        versions = ["9.9.9", "10.0.0", "10.0.10", "10.0.9", "11.0.0-rc.1"]
        self.assertEqual(semver.newest(versions, "*"), "10.0.10")
        self.assertEqual(semver.newest(versions, "<10"), "9.9.9")
        self.assertIsNone(semver.newest(versions, ">=11"))

    def test_what_is_no_range(self):
        with self.assertRaises(ValueError):
            semver.satisfies("1.0.0", "one")


class Managers(unittest.TestCase):
    def test_which_version(self):
        versions = {version: {"name": "npm", "version": version, "engines": {"node": engine}} for version, engine in [("10.9.0", ">=18"), ("11.1.0", ">=20"), ("12.0.0", ">=24")]}

        class Registry:
            def package(self, name):
                return {"versions": versions}

            def version(self, name, version):
                return versions["12.0.0"] if version == "latest" else versions[version]

        for wanted, node, expected in [("", "22.1.0", "10.9.0"), ("", "26.1.0", "11.1.0"), ("", "99.0.0", "12.0.0"), ("latest", "22.0.0", "11.1.0"), ("^10", "26.0.0", "10.9.0"), ("11.1.0", "18.0.0", "11.1.0")]:
            with self.subTest(f"{wanted} on {node}"):
                self.assertEqual(install.manifest_for(Registry(), "npm", wanted, node)["version"], expected)
        with self.assertRaisesRegex(cnb.Failure, "none runs"):
            install.manifest_for(Registry(), "npm", "latest", "16.0.0")


class WhatTheProjectSays(unittest.TestCase):
    def project(self, manifest, files=None):
        folder = app({"package.json": manifest, **(files or {})})
        self.addCleanup(folder.cleanup)
        return Project(folder.name)

    def test_the_version_of_node(self):
        self.assertEqual(self.project({"engines": {"node": ">=20"}}, {".nvmrc": "18"}).node_version(), (">=20", "package.json"))
        self.assertEqual(self.project({}, {".nvmrc": "# ours\nlts/iron\n", ".node-version": "18"}).node_version(), ("20.x", ".nvmrc"))
        self.assertEqual(self.project({}, {".nvmrc": "lts/*"}).node_version(), ("*", ".nvmrc"))
        self.assertEqual(self.project({}, {".node-version": "v22.1.0\n"}).node_version(), ("v22.1.0", ".node-version"))
        self.assertEqual(self.project({}).node_version(), ("*", "no file"))
        with self.assertRaisesRegex(cnb.Failure, "lts/zinc"):
            self.project({}, {".nvmrc": "lts/zinc"}).node_version()

    def test_the_package_manager(self):
        self.assertEqual(self.project({"packageManager": "pnpm@10.1.0+sha512.AbCd"}).manager(), ("pnpm", "10.1.0", ("sha512", "abcd")))
        self.assertEqual(self.project({"packageManager": "yarn@4.9.2"}).manager()[0], "berry")
        self.assertEqual(self.project({}, {"pnpm-lock.yaml": "lockfileVersion: '6.0'\n"}).manager(), ("pnpm", "^8", None))
        self.assertEqual(self.project({}, {"pnpm-lock.yaml": "lockfileVersion: '9.0'\n"}).manager(), ("pnpm", "latest", None))
        self.assertEqual(self.project({}, {"yarn.lock": "# yarn lockfile v1\n"}).manager(), ("yarn", "^1.22", None))
        self.assertEqual(self.project({}, {"yarn.lock": "__metadata:\n  version: 8\n"}).manager()[0], "berry")
        self.assertEqual(self.project({"engines": {"npm": "^10"}}, {"package-lock.json": "{}"}).manager(), ("npm", "^10", None))
        with self.assertRaisesRegex(cnb.Failure, "packageManager"):
            self.project({"packageManager": "bun@1"}).manager()

    def test_when_node_modules_is_made_among_the_source(self):
        lock = {"package-lock.json": "{}"}
        self.assertIsNone(self.project({"dependencies": {"a": "1"}}, lock).in_place("npm"))
        for manifest, files, why in [
            ({}, {}, "no lock file"),
            ({"workspaces": ["packages/*"]}, lock, "workspaces"),
            ({"scripts": {"postinstall": "patch-package"}}, lock, "postinstall"),
            ({"dependencies": {"mine": "file:mine"}}, lock, "mine"),
            ({"devDependencies": {"mine": "link:../mine"}}, lock, "mine"),
            ({}, {**lock, ".pnpmfile.cjs": ""}, "extends"),
        ]:
            self.assertRegex(self.project(manifest, files).in_place("npm") or "", why)

    def test_what_decides_about_the_installation(self):
        manifest, lock = {"dependencies": {"a": "1"}, "scripts": {"start": "x"}, "version": "1.0.0"}, {"package-lock.json": "{}"}
        digest = self.project(manifest, lock).install_digest("npm")
        self.assertEqual(self.project({**manifest, "scripts": {"start": "y"}, "version": "2.0.0"}, lock).install_digest("npm"), digest)
        self.assertNotEqual(self.project({**manifest, "overrides": {"b": "2"}}, lock).install_digest("npm"), digest)
        self.assertNotEqual(self.project(manifest, {"package-lock.json": "{ }"}).install_digest("npm"), digest)
        self.assertNotEqual(self.project(manifest, {**lock, ".npmrc": "legacy-peer-deps=true"}).install_digest("npm"), digest)

    def test_how_it_starts(self):
        self.assertEqual(self.project({"scripts": {"start": "node . --port 1"}}, {"server.js": ""}).start_command(), ["node", ".", "--port", "1"])
        self.assertEqual(self.project({}, {"server.js": ""}).start_command(), ["node", "server.js"])
        self.assertEqual(self.project({"main": "lib/it.js"}, {"lib/it.js": ""}).start_command(), ["node", "lib/it.js"])
        self.assertIsNone(self.project({}).start_command())
        around = self.project({"scripts": {"prestart": "a b", "start": "c | d"}}).start_command()
        self.assertEqual(around, ["sh", "-c", "( a b\n) && c | d"])
        self.assertEqual(self.project({"scripts": {"prestart": "a", "start": "b 'c d'"}}).start_command()[2], "( a\n) && exec b 'c d'")

    def test_whether_a_manager_is_wanted_at_run_time(self):
        project = self.project({})
        self.assertTrue(project.wants_manager(["sh", "-c", "npm run lint && node x"]))
        self.assertTrue(project.wants_manager(["npx", "vitest"]))
        self.assertFalse(project.wants_manager(["node", "npm-thing.js"]))
        self.assertFalse(project.wants_manager(None))

    def test_a_broken_manifest(self):
        for text in ("{", "[]"):
            with self.assertRaisesRegex(cnb.Failure, "package.json"):
                self.project(text)


class Commands(unittest.TestCase):
    def test_a_shell_only_where_one_is_needed(self):
        for text, expected in [
            ("node server.js", ["node", "server.js"]),
            ("./run 'a b' c", ["./run", "a b", "c"]),
            ("node . --port $PORT", ["sh", "-c", "exec node . --port $PORT"]),
            ("A=1 B=2 node .", ["sh", "-c", "A=1 B=2 exec node ."]),
            ("A='1 2' node .", ["sh", "-c", "A='1 2' node ."]),
            ("a && b", ["sh", "-c", "a && b"]),
            ("cd x; y", ["sh", "-c", "cd x; y"]),
        ]:
            self.assertEqual(cnb.command_of(text), expected)
        with self.assertRaises(cnb.Failure):
            cnb.command_of("say 'it")

    def test_toml(self):
        text = cnb.table("[a]", {"plain": 'q"\\\n\x7f', "a b": True, "list": ["x", "y"]})
        self.assertEqual(text, '[a]\nplain = "q\\"\\\\\\n\\u007f"\n"a b" = true\nlist = ["x", "y"]\n')


class Surroundings(unittest.TestCase):
    """An environment without settings of npm."""

    def setUp(self):
        self.before = dict(os.environ)
        self.addCleanup(lambda: (os.environ.clear(), os.environ.update(self.before)))
        for name in [name for name in os.environ if name.lower().startswith("npm_")]:
            del os.environ[name]
        self.home = tempfile.TemporaryDirectory()
        self.addCleanup(self.home.cleanup)
        os.environ.update(HOME=self.home.name, PATH="/nonexistent", SERVICE_BINDING_ROOT=f"{self.home.name}/bindings")

    def folder(self, files):
        folder = app(files)
        self.addCleanup(folder.cleanup)
        return folder.name


class Settings(Surroundings):
    def test_which_registry(self):
        with self.assertRaisesRegex(cnb.Failure, "NPM_CONFIG_REGISTRY"):
            registry.Registry(self.folder({}))
        lock = {"package-lock.json": '"resolved": "http://lock.test/npm/@a/b/-/b-1.0.0.tgz"'}
        self.assertEqual(registry.Registry(self.folder(lock)).url, "http://lock.test/npm/")
        yarn = {"yarn.lock": '  resolved "http://lock.test/r/ms/-/ms-2.1.3.tgz#abc"'}
        self.assertEqual(registry.Registry(self.folder(yarn)).url, "http://lock.test/r/")
        with open(f"{self.home.name}/.npmrc", "w", encoding="utf-8") as file:
            file.write("; mine\nregistry = http://home.test\n")
        self.assertEqual(registry.Registry(self.folder(lock)).url, "http://home.test/")
        self.assertEqual(registry.Registry(self.folder({".npmrc": "registry=http://app.test/x/"})).url, "http://app.test/x/")
        os.environ["npm_config_registry"] = "http://env.test"
        self.assertEqual(registry.Registry(self.folder({".npmrc": "registry=http://app.test"})).url, "http://env.test/")
        os.environ["npm_config_registry"] = "ftp://env.test"
        with self.assertRaisesRegex(cnb.Failure, "no http"):
            registry.Registry(self.folder({}))

    def test_logins_stay_where_they_belong(self):
        os.environ["TOKEN"] = "t0p"
        npmrc = "registry=http://r.test/npm/\n//r.test/npm/:_authToken=${TOKEN}\n//b.test/:username=u\n//b.test/:_password=" + base64.b64encode(b"p").decode()
        one = registry.Registry(self.folder({".npmrc": npmrc}))
        self.assertEqual(one._login("http://r.test/npm/@a%2fb"), "Bearer t0p")
        self.assertIsNone(one._login("http://r.test/other"))
        self.assertIsNone(one._login("http://r.test.evil/npm/x"))
        self.assertEqual(one._login("http://b.test/x/y"), "Basic " + base64.b64encode(b"u:p").decode())

    def test_tarballs_come_from_the_registry_that_was_named(self):
        one = registry.Registry(self.folder({".npmrc": "registry=http://r.test/npm"}))
        self.assertEqual(one._tarball("@a/b", "http://elsewhere.test/@a/b/-/b-1.0.0.tgz"), "http://r.test/npm/@a/b/-/b-1.0.0.tgz")
        self.assertEqual(one._tarball("b", "http://elsewhere.test/download/b/1"), "http://elsewhere.test/download/b/1")


def tarball(members):
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w:gz") as archive:
        for name, content, mode in members:
            info = tarfile.TarInfo(name)
            info.mode = mode
            if content is None:
                info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
                archive.addfile(info)
            else:
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
    return held.getvalue()


class FromARegistry(Surroundings):
    """Against a server of our own."""

    def setUp(self):
        super().setUp()
        self.answers, self.heard = {}, []
        test = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                test.heard.append((self.path, self.headers.get("Authorization")))
                status, content = test.answers.get(self.path, (404, b""))
                self.send_response(status)
                if status == 302:
                    self.send_header("Location", content.decode())
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_):
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        self.url = f"http://127.0.0.1:{server.server_port}"
        os.environ["NPM_CONFIG_REGISTRY"] = self.url
        os.environ["NO_PROXY"] = "*"
        self.registry = registry.Registry(self.folder({}))

    def manifest(self, content, **dist):
        self.answers["/p/-/p-1.0.0.tgz"] = (200, content)
        integrity = "sha512-" + base64.b64encode(hashlib.sha512(content).digest()).decode()
        return {"name": "p", "version": "1.0.0", "dist": {"tarball": "http://x.test/p/-/p-1.0.0.tgz", **(dist or {"integrity": integrity})}}

    def test_unpacks_what_is_wanted(self):
        content = tarball([("package/bin/x", b"#!", 0o755), ("package/README", b"no", 0o644), ("package/a/b", b"c", 0o600)])
        with tempfile.TemporaryDirectory() as target:
            digest = self.registry.unpack(self.manifest(content), target, lambda name: name != "README")
            self.assertEqual(digest, hashlib.sha512(content).hexdigest())
            self.assertEqual(os.stat(f"{target}/bin/x").st_mode & 0o777, 0o755)
            self.assertEqual(sorted(os.listdir(target)), ["a", "bin"])

    def test_refuses_what_the_digest_does_not_say(self):
        content = tarball([("package/x", b"x", 0o644)])
        for dist in ({"integrity": "sha512-" + base64.b64encode(b"x" * 64).decode()}, {"shasum": "0" * 40}, {"integrity": "md5-x"}):
            with self.subTest(dist), tempfile.TemporaryDirectory() as target:
                with self.assertRaisesRegex(cnb.Failure, "digest"):
                    self.registry.unpack(self.manifest(content, **dist), target)
                self.assertEqual(os.listdir(target), [])

    def test_refuses_what_leads_out(self):
        for member in (("package/../../x", b"x", 0o644), ("package/l", None, 0o777), ("package//etc/x", b"x", 0o644)):
            with self.subTest(member), tempfile.TemporaryDirectory() as target, self.assertRaisesRegex(cnb.Failure, "refused"):
                self.registry.unpack(self.manifest(tarball([member])), target)

    def test_what_is_no_archive(self):
        with tempfile.TemporaryDirectory() as target, self.assertRaisesRegex(cnb.Failure, "unpack p@1.0.0"):
            self.registry.unpack(self.manifest(b"not a tarball"), target)

    def test_chooses(self):
        versions = {version: {"name": "p", "version": version} for version in ("1.0.0", "2.0.0", "3.0.0", "4.0.0-rc.1")}
        self.answers["/p"] = (200, json.dumps({"versions": versions}).encode())
        self.answers["/p/2.0.0"] = (200, json.dumps(versions["2.0.0"]).encode())
        self.answers["/p/latest"] = (200, json.dumps(versions["3.0.0"]).encode())
        even = lambda version: semver.parse(version) and semver.parse(version)[0] % 2 == 0
        for wanted, prefer, expected in [("*", None, "3.0.0"), ("*", even, "2.0.0"), (">2", even, "3.0.0"), ("v2.0.0", None, "2.0.0"), ("latest", None, "3.0.0")]:
            self.assertEqual(registry.choose(self.registry, "p", wanted, prefer=prefer)["version"], expected)
        for wanted, why in (("^9", "none in"), (">=one", "no version")):
            with self.assertRaisesRegex(cnb.Failure, why):
                registry.choose(self.registry, "p", wanted)
        with self.assertRaisesRegex(cnb.Failure, "404"):
            self.registry.package("@a/b")
        self.assertEqual(self.heard[-1][0], "/@a%2fb")

    def test_a_login_does_not_follow_a_redirection(self):
        host = self.url[len("http:") :]
        self.registry.settings[f"{host}/:_authToken"] = "secret"
        self.answers["/p"] = (302, f"{self.url}/elsewhere".encode())
        self.answers["/elsewhere"] = (200, b'{"versions":{}}')
        self.registry.package("p")
        self.assertEqual(self.heard, [("/p", "Bearer secret"), ("/elsewhere", None)])


class Bills(unittest.TestCase):
    def test_packages_as_they_lie_there(self):
        one = lambda name, version, **more: json.dumps({"name": name, "version": version, **more})
        folder = app({
            "node_modules/a/package.json": one("a", "1.0.0", license="MIT"),
            "node_modules/a/lib/package.json": one("not", "1.0.0"),
            "node_modules/@s/b/package.json": one("@s/b", "2.0.0", license={"type": "ISC"}),
            "node_modules/a/node_modules/b/package.json": one("b", "3.0.0", license="(MIT OR Apache-2.0)"),
            "node_modules/.pnpm/c@1/node_modules/c/package.json": one("c", "1.0.0"),
            "node_modules/broken/package.json": "{",
        })  # fmt: skip
        self.addCleanup(folder.cleanup)
        found = {one["purl"]: one.get("licenses") for one in sbom.packages(f"{folder.name}/node_modules")}
        self.assertEqual(found, {
            "pkg:npm/a@1.0.0": [{"license": {"name": "MIT"}}],
            "pkg:npm/%40s/b@2.0.0": [{"license": {"name": "ISC"}}],
            "pkg:npm/b@3.0.0": [{"expression": "(MIT OR Apache-2.0)"}],
            "pkg:npm/c@1.0.0": None,
        })  # fmt: skip


if __name__ == "__main__":
    unittest.main()
