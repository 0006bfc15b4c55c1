"""The pure parts of strake/python."""

import os
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../python/lib"))

import build  # noqa: E402
import cnb  # noqa: E402
import debian  # noqa: E402
import requirements  # noqa: E402

STATUS = """Package: python3
Status: install ok installed
Architecture: amd64
Version: 3.11.2-1+b1
Depends: python3.11 (>= 3.11.2-1~), libpython3-stdlib (= 3.11.2-1+b1)
Description: interactive
 Depends: nothing that counts

Package: python3.11
Status: install ok installed
Version: 3.11.2-6
Depends: media-types | mime-support, libssl3 (>= 3.0.0), python3

Package: libpython3-stdlib
Status: install ok installed
Version: 3.11.2-1+b1
Pre-Depends: libc6 (>= 2.34)

Package: mail-types
Status: install ok installed
Version: 1
Provides: mime-support (= 1)

Package: libssl3
Status: install ok installed
Version: 3.0.17
Depends: libc6, debconf (>= 0.5) | debconf-2.0

Package: libc6
Status: install ok installed
Version: 2.36

Package: base-files
Essential: yes
Status: install ok installed
Version: 12

Package: gone
Status: deinstall ok config-files
Version: 1
"""


class TheDistributionsPython(unittest.TestCase):
    def test_what_it_is_made_of(self):
        known = debian.packages(STATUS)
        self.assertNotIn("gone", known)
        self.assertEqual(debian.closure(known, ["python3"]), ["libpython3-stdlib", "libssl3", "mail-types", "python3", "python3.11"])

    def test_where_its_files_go(self):
        for path, expected in [
            ("/usr/bin/python3.11", "bin/python3.11"),
            ("/usr/bin/pdb3", None),
            ("/usr/lib/python3.11/os.py", "lib/python3.11/os.py"),
            ("/usr/lib/python3.11/lib-dynload/_ssl.so", "lib/python3.11/lib-dynload/_ssl.so"),
            ("/usr/lib/x86_64-linux-gnu/libssl.so.3", "lib/libssl.so.3"),
            ("/lib/aarch64-linux-gnu/liblzma.so.5", "lib/liblzma.so.5"),
            ("/usr/lib/x86_64-linux-gnu/engines-3/afalg.so", None),
            ("/usr/lib/python3.11/EXTERNALLY-MANAGED", None),
            ("/usr/lib/python3.11/ensurepip/__init__.py", None),
            ("/usr/share/man/man1/python3.1.gz", None),
            ("/usr/share/doc/python3.11/copyright", "share/doc/python3.11/copyright"),
            ("/etc/python3.11/sitecustomize.py", None),
        ]:
            with self.subTest(path):
                self.assertEqual(debian.place(path), expected)


class Requirements(unittest.TestCase):
    def app(self, files):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        for name, content in files.items():
            os.makedirs(os.path.dirname(os.path.join(folder.name, name)), exist_ok=True)
            with open(os.path.join(folder.name, name), "w", encoding="utf-8") as file:
                file.write(content)
        return folder.name

    def test_which_file(self):
        project = '[project]\nname = "x"\n'
        for files, expected in [
            ({"requirements.txt": "", "pyproject.toml": project}, ("requirements.txt", ["-r", "requirements.txt"])),
            ({"pyproject.toml": project}, ("pyproject.toml", ["."])),
            ({"pyproject.toml": "[tool.black]\n"}, (None, None)),
            ({"setup.py": ""}, ("setup.py", ["."])),
            ({"main.py": ""}, (None, None)),
        ]:
            self.assertEqual(requirements.manifest(self.app(files)), expected)
        with self.assertRaisesRegex(cnb.Failure, 'read "pyproject.toml"'):
            requirements.manifest(self.app({"pyproject.toml": "["}))

    def test_all_that_it_includes(self):
        files = {"requirements.txt": "a==1\n-r more/base.txt\n-c=limits.txt # why\n", "more/base.txt": "b\n-r ../requirements.txt\n", "limits.txt": "b<2\n"}
        parts, why = requirements.read(self.app(files), "requirements.txt")
        self.assertIsNone(why)
        self.assertEqual(parts[::2], ["requirements.txt", "more/base.txt", "limits.txt"])
        with self.assertRaisesRegex(cnb.Failure, "missing.txt"):
            requirements.read(self.app({"requirements.txt": "-r missing.txt"}), "requirements.txt")

    def test_what_lies_among_the_source(self):
        for line in ("-e .", "--editable=./x", "./mine", ".", ".[web]", "mine @ file:///workspace/mine", "libs/mine"):
            with self.subTest(line):
                self.assertIn("lies among", requirements.read(self.app({"requirements.txt": line, "libs/mine": ""}), "requirements.txt")[1] or "")
        for line in ("a", "a[b]>=1 ; python_version < '3'", "a @ http://x.test/a.whl", "--index-url http://x.test/", "# -e ."):
            with self.subTest(line):
                self.assertIsNone(requirements.read(self.app({"requirements.txt": line}), "requirements.txt")[1])

    def test_processes(self):
        self.assertEqual(requirements.web_command(self.app({"app.py": "", "main.py": ""})), ["python3", "main.py"])
        self.assertIsNone(requirements.web_command(self.app({})))
        self.assertEqual(requirements.test_command(self.app({}), {"pytest"}), ["python3", "-m", "pytest"])
        self.assertEqual(requirements.test_command(self.app({"test_x.py": ""}), set()), ["python3", "-m", "unittest", "discover"])
        self.assertIsNone(requirements.test_command(self.app({}), set()))

    def test_names(self):
        self.assertEqual(build.normal("Foo.Bar__baz"), "foo-bar-baz")


if __name__ == "__main__":
    unittest.main()
