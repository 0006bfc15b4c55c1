"""bin/build of strake/static."""

import glob
import os
import re
import shutil
import subprocess
import sys
import tempfile
from urllib.parse import quote

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import cnb  # noqa: E402

ROOTS = ("public", "dist", "site", "_site", "build", ".")
# The server knows a handful; these are what sites of today are made of (IANA's registry of media types).
TYPES = {
    "avif": "image/avif", "css": "text/css", "csv": "text/csv", "eot": "application/vnd.ms-fontobject", "gif": "image/gif",
    "htm": "text/html", "html": "text/html", "ico": "image/vnd.microsoft.icon", "jpeg": "image/jpeg", "jpg": "image/jpeg",
    "js": "text/javascript", "json": "application/json", "map": "application/json", "md": "text/markdown", "mjs": "text/javascript",
    "mp4": "video/mp4", "otf": "font/otf", "pdf": "application/pdf", "png": "image/png", "rss": "application/rss+xml",
    "svg": "image/svg+xml", "ttf": "font/ttf", "txt": "text/plain", "wasm": "application/wasm", "webm": "video/webm",
    "webmanifest": "application/manifest+json", "webp": "image/webp", "woff": "font/woff", "woff2": "font/woff2", "xml": "application/xml",
}  # fmt: skip
CHARSET = ";charset=utf-8"
SERVE = """# The process `web`: on PORT, 8080 where it is not set.
case "${PORT:-8080}" in *[!0-9]*) echo "PORT is \\"$PORT\\", which is no port" >&2; exit 1 ;; esac
echo "serving %(root)s on port ${PORT:-8080}"
%(server)s httpd -f -v -p "${PORT:-8080}" -h %(root)s -c %(configuration)s &
# As the first process of a container it would not hear a signal by itself.
trap 'kill $!; exit 0' TERM INT
wait $!
"""


def root_of(app):
    said = os.environ.get("BP_STATIC_ROOT")
    found = said or next((one for one in ROOTS if os.path.isfile(os.path.join(app, one, "index.html"))), None)
    path = os.path.realpath(os.path.join(app, found or "."))
    if found is None or not os.path.isdir(path) or (path + "/").find(os.path.realpath(app) + "/") != 0:
        raise cnb.Failure(f'find the site: there is no folder "{said or "public"}" among the application\'s files')
    return path


def checked(root):
    """What lies in the site but must not be served is taken out of the image, or refused."""
    if os.path.isdir(os.path.join(root, "cgi-bin")):
        raise cnb.Failure('serve the site: it has a folder "cgi-bin", whose files the server would run. Rename it, or write a Procfile')
    hidden = [name for name in sorted(os.listdir(root)) if name.startswith(".") and name != ".well-known"]
    for name in hidden:
        cnb.remove(os.path.join(root, name))
    if hidden:
        cnb.say(f"  not in the image: {', '.join(hidden)}")


def server(target):
    """A static busybox with a web server: the build image's own, else the distribution's package. Gives (package, version)."""
    for path in ("/bin/busybox", "/usr/bin/busybox"):
        if os.path.isfile(path) and serves(path):
            shutil.copyfile(path, target)
            os.chmod(target, 0o755)
            return owner()
    with tempfile.TemporaryDirectory() as scratch:
        package = downloaded(scratch)
        cnb.call(["dpkg-deb", "-x", package, f"{scratch}/files"], what="unpack busybox-static")
        found = next((path for path in (f"{scratch}/files/bin/busybox", f"{scratch}/files/usr/bin/busybox") if os.path.isfile(path)), None)
        if found is None or not serves(found):
            raise cnb.Failure("unpack busybox-static: it has no static busybox with the applet httpd")
        shutil.copyfile(found, target)
        os.chmod(target, 0o755)
        version = subprocess.run(["dpkg-deb", "-f", package, "Version"], capture_output=True, text=True, check=True).stdout.strip()
        return "busybox-static", version


def serves(path):
    """Whether it is linked statically, so that it runs in any run image, and has the applet."""
    with open(path, "rb") as file:
        static = b"ld-linux" not in file.read(4096)
    listed = subprocess.run([path, "--list"], capture_output=True, text=True, check=False).stdout.split()
    return static and "httpd" in listed and "sh" in listed


def owner():
    done = subprocess.run(["dpkg-query", "-W", "-f", "${Version}", "busybox-static"], capture_output=True, text=True, check=False)
    return ("busybox-static", done.stdout) if done.returncode == 0 and done.stdout else ("busybox", "unknown")


def downloaded(scratch):
    """The package from the sources of the build image's apt, as an ordinary user: lists and archives are our own."""
    if shutil.which("apt-get") is None:
        raise cnb.Failure("find a web server: the build image has neither a static busybox nor apt")
    for name in ("lists/partial", "archives/partial"):
        os.makedirs(os.path.join(scratch, name))
    options = ["-qq", f"-oDir::State::lists={scratch}/lists", f"-oDir::Cache={scratch}", f"-oDir::Cache::archives={scratch}/archives", "-oAPT::Sandbox::User=", "-oDebug::NoLocking=1"]
    cnb.call(["apt-get", *options, "update"], cwd=scratch, what="read the package lists")
    cnb.call(["apt-get", *options, "download", "busybox-static"], cwd=scratch, what="fetch busybox-static")
    return glob.glob(f"{scratch}/busybox-static_*.deb")[0]


def configuration(root):
    lines = ["A:*"]
    for name in ("404.html",):
        if os.path.isfile(os.path.join(root, name)):
            lines.append(f"E404:{root}/{name}")
    return "\n".join(lines + [f".{ending}:{kind}{CHARSET if kind.startswith('text/') else ''}" for ending, kind in TYPES.items()]) + "\n"


def main():
    app = os.getcwd()
    root = root_of(app)
    cnb.say(f"Static site in {os.path.relpath(root, app)}")
    checked(root)
    layer = cnb.Layer("server")
    arch = os.environ.get("CNB_TARGET_ARCH") or os.uname().machine
    path = f"{layer.path}/bin/busybox"
    here = owner() if any(os.path.isfile(one) for one in ("/bin/busybox", "/usr/bin/busybox")) else None
    if os.path.isfile(path) and layer.was.get("arch") == arch and (here is None or here[1] == layer.was.get("version")):
        package, version = layer.was["package"], layer.was["version"]
        cnb.say(f"  {package} {version}, from the cache")
    else:
        os.makedirs(f"{layer.empty().path}/bin")
        package, version = server(path)
        cnb.say(f"  {package} {version}")
    files = {"httpd.conf": configuration(root), "serve.sh": SERVE % {"root": words(root), "server": words(path), "configuration": words(f"{layer.path}/httpd.conf")}}
    for name, text in files.items():
        with open(f"{layer.path}/{name}", "w", encoding="utf-8") as file:
            file.write(text)
    layer.write({"package": package, "version": version, "arch": arch}, launch=True, cache=True)
    layer.sbom([cnb.component(package, version, f"pkg:deb/{distribution()}/{package}@{quote(version, safe='')}", licence="GPL-2.0-only", kind="application")])
    # By its own shell: the run image need not have one.
    cnb.write_launch([cnb.process("web", [path, "sh", f"{layer.path}/serve.sh"], default=True)])
    cnb.drop_unused("server")


def words(path):
    return "'" + path.replace("'", "'\\''") + "'"


def distribution():
    try:
        with open("/etc/os-release", encoding="utf-8") as file:
            found = re.search(r"^ID=\"?([\w.-]+)", file.read(), re.M)
    except OSError:
        found = None
    return found[1] if found else "debian"


if __name__ == "__main__":
    cnb.start(main)
