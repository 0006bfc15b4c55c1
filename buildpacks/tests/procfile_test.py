"""The pure parts of strake/procfile."""

import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../procfile/lib"))

import build  # noqa: E402
import cnb  # noqa: E402


class Procfile(unittest.TestCase):
    def test_processes(self):
        self.assertEqual(build.parse("# ours\n\nweb: a:b c\r\nurgent.worker-1 : x\n"), {"web": "a:b c", "urgent.worker-1": "x"})

    def test_what_is_none(self):
        for text, why in [("web", "Procfile:1"), ("\nwe b: x", "Procfile:2"), ("web:", "Procfile:1"), ("a: x\na: y", "Procfile:2: .*twice")]:
            with self.subTest(text), self.assertRaisesRegex(cnb.Failure, why):
                build.parse(text)


if __name__ == "__main__":
    unittest.main()
