"""The pure parts of strake/environment-labels."""

import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../environment-labels/lib"))

import build  # noqa: E402
import cnb  # noqa: E402


class Labels(unittest.TestCase):
    def test_of_the_environment(self):
        found = build.of_environment({"BP_OCI_TITLE": "a title", "BP_OCI_REF_NAME": "r", "BP_OCI_URL": "", "BP_IMAGE_LABELS": "a=b 'c d=e=f' org.opencontainers.image.title=other"})
        self.assertEqual(found, {"org.opencontainers.image.title": "other", "org.opencontainers.image.ref.name": "r", "a": "b", "c d": "e=f"})

    def test_what_is_no_label(self):
        for text, why in [("a", "key=value"), ("=b", "key=value"), ("'a=b", "quotation"), ("io.buildpacks.x=y", "lifecycle")]:
            with self.subTest(text), self.assertRaisesRegex(cnb.Failure, f"BP_IMAGE_LABELS.*{why}"):
                build.of_environment({"BP_IMAGE_LABELS": text})

    def test_of_the_descriptor(self):
        said = {"name": "n", "version": "1", "documentation-url": "d", "source-url": "s", "authors": ["a", "b"], "licenses": [{"type": "MIT"}, {"uri": "u"}, {"type": "ISC"}]}
        expected = {"title": "n", "version": "1", "documentation": "d", "source": "s", "authors": "a, b", "licenses": "MIT OR ISC"}
        self.assertEqual(build.of_descriptor({"_": said}), expected)
        self.assertEqual(build.of_descriptor({"project": said}), expected)
        self.assertEqual(build.of_descriptor({"_": {"schema-version": "0.2"}}), {})


if __name__ == "__main__":
    unittest.main()
