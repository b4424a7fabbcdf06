"""Read and write what may depend on the locale: code, settings, pages, names of files.

python in_a_locale.py REPOSITORY FOLDER
"""

import json
import locale
import os
import sys
from pathlib import Path

from netdyn import cli
from netdyn.jobs.reporting import write_page
from netdyn.jobs.resolving import resolve
from netdyn.plan.targets import Plan
from netdyn.records.files import read_json, read_yaml, write_json
from netdyn.records.import_graph import code_digests
from netdyn.runtime import terminal

root, folder = map(Path, sys.argv[1:])
os.chdir(folder)
write_json(folder / "code.json", code_digests("netdyn.training.train"))
plan = Plan(root, read_yaml(folder / "own.yaml"), "demo", Path("settings"))
write_json(folder / "runs.json", {"runs": [*plan.runs], "data": plan.config["data_root"]})
write_page("claims", [root / "results/cpu/reference/claims.csv"], folder / "page.html")
resolve(plan, ["fig1"])
(name,) = (os.fsdecode(each) for each in os.listdir(os.fsencode(folder)) if each[:2] == b"n\xc3")
write_json(folder / name / "in.json", {"name": read_json(folder / "name.json")["name"]})
(folder / "said.json").write_text(
    json.dumps({"encoding": locale.getpreferredencoding(False)}), encoding="utf-8"
)
terminal.escape_unknown_characters()
terminal.message("step 1: η × … ok")
print("η × … ok")
sys.argv[1:] = ["--help"]
cli.main()
