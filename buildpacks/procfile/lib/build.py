"""bin/build of strake/procfile."""

import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import cnb  # noqa: E402


def parse(text):
    """type -> command line, in order. `type: command`, a line each; `#` begins a comment line."""
    found = {}
    for number, line in enumerate(text.splitlines(), 1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        match = re.fullmatch(r"([A-Za-z0-9._-]+)\s*:\s*(.+)", line)
        if not match:
            raise cnb.Failure(f'Procfile:{number}: "{line}" is not of the form "type: command"')
        if match[1] in found:
            raise cnb.Failure(f'Procfile:{number}: the process "{match[1]}" is there twice')
        found[match[1]] = match[2]
    return found


def main():
    with open("Procfile", encoding="utf-8-sig") as file:
        found = parse(file.read())
    if not found:
        cnb.warn("Procfile names no process")
    default = "web" if "web" in found else next(iter(found)) if len(found) == 1 else None
    processes = []
    for kind, text in found.items():
        command = cnb.command_of(text)
        cnb.say(f"  {kind}: {text}")
        processes.append(cnb.process(kind, command, default=kind == default))
    cnb.write_launch(processes)


if __name__ == "__main__":
    cnb.start(main)
