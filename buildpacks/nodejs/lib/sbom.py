"""The packages of a node_modules folder, as they lie there: right for every package manager."""

import json
import os
from urllib.parse import quote

import cnb


def purl(name, version):
    """pkg:npm/%40scope/name@version (package-url's type definition of npm)."""
    return f"pkg:npm/{'/'.join(quote(part, safe='') for part in name.split('/'))}@{quote(version, safe='')}"


def licence_of(manifest):
    said = manifest.get("license") or manifest.get("licenses")
    if isinstance(said, list):
        said = said[0] if said else None
    if isinstance(said, dict):
        said = said.get("type")
    return said if isinstance(said, str) else None


def packages(modules):
    """Components of all packages below a folder. A package is a folder in a `node_modules`, or in a scope there, with name and version."""
    for folder, folders, files in os.walk(modules):
        folders.sort()
        parent, name = os.path.split(folder)
        at_top = os.path.basename(parent) == "node_modules"
        scoped = os.path.basename(parent).startswith("@") and os.path.basename(os.path.dirname(parent)) == "node_modules"
        if (at_top and not name.startswith((".", "@")) or scoped) and "package.json" in files:
            try:
                with open(os.path.join(folder, "package.json"), encoding="utf-8-sig") as file:
                    manifest = json.load(file)
            except (OSError, ValueError):
                continue
            said, version = manifest.get("name"), manifest.get("version")
            if isinstance(said, str) and isinstance(version, str):
                yield cnb.component(said, version, purl(said, version), licence=licence_of(manifest))
