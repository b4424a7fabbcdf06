"""In a shell whose locale is not UTF-8 the same bytes are read and written as in one that is."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
# What a shell is that has ASCII alone; Python would take UTF-8 by itself for its C locale.
ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


@pytest.fixture(scope="module")
def latin(tmp_path_factory):
    """The variables of a shell in ISO-8859-1, or of one in ASCII where none can be made."""
    folder = tmp_path_factory.mktemp("locales")
    words = ("localedef", "-i", "en_US", "-f", "ISO-8859-1", str(folder / "en_US"))
    try:
        subprocess.run(words, capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return ASCII
    return {"LOCPATH": str(folder), "LC_ALL": "en_US"}


def results(folder, environment):
    """Make everything in an empty folder; return the digests of the files, and what was said."""
    (folder / "nämé").mkdir(parents=True)
    (folder / "name.json").write_text('{"name": "grün η"}', encoding="utf-8")
    (folder / "own.yaml").write_text("data_root: Größe η × 2\n", encoding="utf-8")
    words = [sys.executable, ROOT / "tests/helpers/in_a_locale.py", ROOT, folder]
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("LC_", "LANG"))}
    made = subprocess.run(words, capture_output=True, env={**kept, **environment}, check=False)
    assert made.returncode == 0, made.stderr.decode(errors="replace")
    said = json.loads((folder / "said.json").read_text(encoding="utf-8"))
    files = (path for path in sorted(folder.rglob("*.*")) if path.name != "said.json")
    digests = {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
        if (path.is_file() and path.suffix != ".json") or path.name in ("code.json", "runs.json")
    }
    digests["in.json"] = (folder / "nämé/in.json").read_text(encoding="utf-8")
    return digests, said["encoding"].lower(), made.stdout + made.stderr


@pytest.fixture(scope="module")
def in_utf8(tmp_path_factory):
    digests, encoding, said = results(tmp_path_factory.mktemp("utf8"), {"LC_ALL": "C.UTF-8"})
    assert encoding == "utf-8"
    assert said.decode().count("η × … ok\n") == 2
    assert {"page.html", "code.json", "settings/commands.sh"} <= digests.keys()
    return digests


@pytest.mark.parametrize("kind", ["ascii", "latin"])
def test_another_locale_gives_the_same_bytes(tmp_path, in_utf8, latin, kind):
    digests, encoding, said = results(tmp_path, ASCII if kind == "ascii" else latin)
    assert encoding != "utf-8"
    assert digests == in_utf8
    assert b"\\u03b7 " in said  # η as an escape, and nothing has ended for it
    assert said.count(b"ok\n") == 2
