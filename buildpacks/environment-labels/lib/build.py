"""bin/build of strake/environment-labels."""

import os
import shlex
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import cnb  # noqa: E402

# The pre-defined keys of the OCI image specification (annotations.md), each as BP_OCI_<NAME>.
NAMES = {
    "AUTHORS": "authors", "CREATED": "created", "DESCRIPTION": "description", "DOCUMENTATION": "documentation", "LICENSES": "licenses",
    "REF_NAME": "ref.name", "REVISION": "revision", "SOURCE": "source", "TITLE": "title", "URL": "url", "VENDOR": "vendor", "VERSION": "version",
}  # fmt: skip
PREFIX = "org.opencontainers.image."


def of_descriptor(descriptor):
    """What project.toml says of the project: schema 0.2 and later under `_`, 0.1 under `project`."""
    project = descriptor.get("_") or descriptor.get("project") or {}
    fields = {"title": ["name", "id"], "version": ["version"], "documentation": ["documentation-url"], "source": ["source-url"]}
    found = {}
    for label, names in fields.items():
        said = next((project[name] for name in names if isinstance(project.get(name), str) and project[name]), None)
        if said:
            found[label] = said
    authors = [one for one in project.get("authors") or [] if isinstance(one, str)]
    if authors:
        found["authors"] = ", ".join(authors)
    licences = [one["type"] for one in project.get("licenses") or [] if isinstance(one, dict) and isinstance(one.get("type"), str)]
    if licences:
        found["licenses"] = " OR ".join(licences)
    return found


def of_environment(env):
    """BP_OCI_… as OCI's keys, and BP_IMAGE_LABELS: `key=value` words, quoted as a shell's. Later ones win."""
    found = {PREFIX + label: env[f"BP_OCI_{name}"] for name, label in NAMES.items() if env.get(f"BP_OCI_{name}")}
    unknown = [name for name in env if name.startswith("BP_OCI_") and name[len("BP_OCI_") :] not in NAMES]
    for name in sorted(unknown):
        cnb.warn(f"{name} is no key of OCI's: known are {', '.join(f'BP_OCI_{one}' for one in NAMES)}")
    try:
        words = shlex.split(env.get("BP_IMAGE_LABELS", ""))
    except ValueError as error:
        raise cnb.Failure(f"read BP_IMAGE_LABELS: {error}") from None
    for word in words:
        key, equals, text = word.partition("=")
        if not key or not equals:
            raise cnb.Failure(f'read BP_IMAGE_LABELS: "{word}" is not of the form key=value')
        if key.startswith("io.buildpacks."):
            raise cnb.Failure(f'read BP_IMAGE_LABELS: "{key}" is the lifecycle\'s own')
        found[key] = text
    return found


def main():
    labels = {PREFIX + label: text for label, text in of_descriptor(cnb.read_toml("project.toml") or {}).items()}
    labels.update(of_environment(os.environ))
    for key, text in sorted(labels.items()):
        cnb.say(f"  {key}: {text}")
    cnb.write_launch(labels=sorted(labels.items()))


if __name__ == "__main__":
    cnb.start(main)
