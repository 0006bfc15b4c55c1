"""What an application asks pip for, and whether that lies among its own files."""

import os
import re

import cnb

MANIFESTS = ("requirements.txt", "pyproject.toml", "setup.py", "setup.cfg")


def manifest(app):
    """Name of the file that says what is to be installed, and `.` where it is the application itself; (None, None) where nothing is."""
    said = os.environ.get("BP_PIP_REQUIREMENT")
    if said:
        if not os.path.isfile(os.path.join(app, said)):
            raise cnb.Failure(f'read BP_PIP_REQUIREMENT: there is no "{said}" among the application\'s files')
        return said, ["-r", said]
    if os.path.isfile(os.path.join(app, "requirements.txt")):
        return "requirements.txt", ["-r", "requirements.txt"]
    pyproject = cnb.read_toml(os.path.join(app, "pyproject.toml"))
    if pyproject is not None and ("project" in pyproject or "build-system" in pyproject):
        return "pyproject.toml", ["."]
    if os.path.isfile(os.path.join(app, "setup.py")):
        return "setup.py", ["."]
    return None, None


def read(app, name, seen=None):
    """(contents of a requirements file and of all that it includes, why what it asks for lies among the source or None). Throws for a file that is not there."""
    seen = set() if seen is None else seen
    path = os.path.normpath(os.path.join(app, name))
    if path in seen:
        return [], None
    seen.add(path)
    try:
        with open(path, encoding="utf-8-sig") as file:
            text = file.read()
    except OSError:
        raise cnb.Failure(f'read "{name}": there is no such file') from None
    parts, local = [name, text], None
    for line in re.sub(r"\\\n", " ", text).splitlines():
        line = re.sub(r"(^|\s)#.*$", "", line).strip()
        included = re.match(r"(?:-r|-c|--requirement|--constraint)(?:\s+|=)?(.+)", line)
        if included:
            more, why = read(app, os.path.join(os.path.dirname(name), included[1].strip()), seen)
            parts += more
            local = local or why
        elif re.match(r"(-e|--editable)\b", line) or re.match(r"(\.{0,2}/|\.$|\.\[|file:)", line) or re.search(r"@\s*file:", line):
            local = f'"{line}" lies among its files'
        elif line and not line.startswith("-") and os.path.exists(os.path.join(app, line.split(";")[0].strip())) and "/" in line:
            local = f'"{line}" lies among its files'
    return parts, local


def web_command(app):
    """By convention: main.py, else app.py."""
    found = next((name for name in ("main.py", "app.py") if os.path.isfile(os.path.join(app, name))), None)
    return ["python3", found] if found else None


def test_command(app, packages):
    """pytest where it is installed, else unittest where there are tests."""
    if "pytest" in packages:
        return ["python3", "-m", "pytest"]
    named = any(re.fullmatch(r"test_.*\.py", name) for name in os.listdir(app))
    if os.path.isdir(os.path.join(app, "tests")) or named:
        return ["python3", "-m", "unittest", "discover"]
    return None
