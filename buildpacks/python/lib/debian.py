"""Debian's own Python of the build image, as a folder that runs anywhere: the files that dpkg says are its packages'. Nothing is fetched."""

import os
import re
import shutil

import cnb

STATUS = "/var/lib/dpkg/status"
INFO = "/var/lib/dpkg/info"
# What every image of the distribution has, and must not come twice into a process.
OF_THE_SYSTEM = {"libc6", "libcrypt1", "libgcc-s1", "gcc-12-base", "libc-bin", "base-files", "debconf", "dpkg", "tar"}
# Only files in these are taken; the rest of a package is documentation, or for machines that are administered.
TREES = re.compile(r"^/(?:usr/)?(lib|bin)/")
NOT_WANTED = re.compile(
    r"/(?:__pycache__|test|tests|idlelib|tkinter|turtledemo|lib2to3/tests|ensurepip|dist-packages|EXTERNALLY-MANAGED)(?:/|$)|/lib/(?:systemd|udev|valgrind)/|\.a$|/config-[\w.-]+/"
)


def packages(text):
    """Name -> fields, of the packages that a dpkg status file says are installed."""
    found = {}
    for block in text.split("\n\n"):
        fields = {}
        for line in block.split("\n"):
            if line[:1] not in (" ", "") and ": " in line:
                name, _, said = line.partition(": ")
                fields[name] = said
        if fields.get("Status", "").endswith(" installed"):
            found[fields["Package"]] = fields
    return found


def closure(known, roots):
    """`roots` and what they depend on, by name; of alternatives the first that is installed. Nothing of the base system."""
    provides = {
        one.split("(")[0].split(":")[0].strip(): name
        for name, fields in known.items()
        for one in fields.get("Provides", "").split(",")
        if one.strip()
    }
    wanted, done = list(roots), set()
    while wanted:
        name = wanted.pop()
        if name in done or name in OF_THE_SYSTEM or known.get(name, {}).get("Essential") == "yes":
            continue
        done.add(name)
        fields = known[name]
        for group in f"{fields.get('Depends', '')},{fields.get('Pre-Depends', '')}".split(","):
            names = [one.split("(")[0].split(":")[0].strip() for one in group.split("|")]
            found = next((one if one in known else provides[one] for one in names if one in known or one in provides), None)
            if found:
                wanted.append(found)
    return sorted(done)


def files_of(name, fields):
    arch = fields.get("Architecture", "")
    for path in (f"{INFO}/{name}.list", f"{INFO}/{name}:{arch}.list"):
        if os.path.isfile(path):
            with open(path, encoding="utf-8") as file:
                return file.read().splitlines()
    return []


def place(path):
    """Where a file of a package goes below the layer; None for one that is left out. Libraries come into `lib` itself, where the platform has programs look for them."""
    match = TREES.match(path)
    if not match or NOT_WANTED.search(path):
        copyright_of = re.fullmatch(r"/usr/share/doc/([^/]+)/copyright", path)
        return f"share/doc/{copyright_of[1]}/copyright" if copyright_of else None
    rest = path[match.end() :]
    if match[1] == "bin":
        return f"bin/{rest}" if re.fullmatch(r"python3(\.\d+)?", rest) else None
    rest = re.sub(r"^[\w]+-linux-gnu[\w]*/", "", rest)
    return f"lib/{rest}" if "/" not in rest or rest.startswith("python3") else None


def installed():
    """(fields of all installed packages, names of those that Python is made of)."""
    if not os.path.isfile(STATUS):
        raise cnb.Failure("copy Python: the build image has no dpkg database, so it is not Debian's or Ubuntu's")
    with open(STATUS, encoding="utf-8") as file:
        known = packages(file.read())
    if "python3" not in known:
        raise cnb.Failure("copy Python: the build image has no package python3")
    return known, closure(known, ["python3"])


def parts():
    """(package, version, architecture) of all that the copy is made of."""
    known, names = installed()
    return [(name, known[name]["Version"], known[name].get("Architecture", "all")) for name in names]


def copy(target):
    """Copies Python below `target`. Gives its version."""
    known, names = installed()
    for name in names:
        for path in files_of(name, known[name]):
            to = place(path)
            if to is None or os.path.isdir(path) and not os.path.islink(path) or not os.path.lexists(path):
                continue
            full = os.path.join(target, to)
            os.makedirs(os.path.dirname(full), exist_ok=True)
            link = os.readlink(path) if os.path.islink(path) else None
            # A link among the files of its own folder is kept; one that leads elsewhere becomes what it leads to.
            if link is not None and "/" not in link:
                cnb.remove(full)
                os.symlink(link, full)
            elif os.path.isfile(path):
                cnb.remove(full)
                shutil.copyfile(path, full)
                os.chmod(full, os.stat(path).st_mode & 0o755)
    version = re.match(r"\d+\.\d+", known["python3"]["Version"])[0]
    # Programs ask for both; Debian's package has the second only.
    os.symlink("python3", os.path.join(target, "bin", "python"))
    full = known.get(f"python{version}", {}).get("Version", version)
    return re.match(r"[\d.]+", full)[0].rstrip(".")


def state():
    """What decides about the copy: the packages of the build image."""
    return cnb.digest_of(cnb.contents(STATUS))
