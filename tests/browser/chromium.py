"""The browser of the tests: Debian's Chromium.

python tests/browser/chromium.py install   by apt-get, as root, where there is none
"""

import os
import shutil
import subprocess
import sys

NAMES = ("chromium", "chromium-browser", "google-chrome")
# Drawn by the processor, so that scenes of three dimensions need no GPU; as root there is no
# sandbox; nothing is asked for in the background.
OPTIONS = [
    *("--no-sandbox", "--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"),
    *("--no-first-run", "--disable-background-networking", "--disable-component-update"),
    *("--disable-sync", "--disable-dev-shm-usage"),
]


def find() -> str | None:
    """Return the path of the browser, None where there is none."""
    return next(filter(None, map(shutil.which, NAMES)), None)


def install() -> None:
    """Install Debian's Chromium unless there is one."""
    if find():
        return
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise SystemExit("error: the tests of pages need Chromium: install it, or run as root")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for words in (["update", "-q"], ["install", "-y", "-q", "--no-install-recommends", NAMES[0]]):
        subprocess.run(["apt-get", *words], env=environment, check=True)


if __name__ == "__main__":
    if sys.argv[1:] != ["install"]:
        raise SystemExit(__doc__)
    install()
