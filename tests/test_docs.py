import re
from pathlib import Path

import yaml

from netdyn import _public

DOCS = Path(__file__).parents[1] / "docs"


def pages():
    return {page.name: page.read_text(encoding="utf-8") for page in DOCS.glob("*.md")}


def test_the_long_example_of_ones_own_network_runs_and_shows_a_trained_one(capsys):
    page = pages()["own_network.md"]
    example, of_any_network = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    names = {}
    exec(compile(example, "own_network.md", "exec"), names)
    said = capsys.readouterr().out
    numbers = dict(
        re.findall(r"(layer \d: g =|pruned:|sample basin|weight basin) (\S+?)[,%\n ]", said)
    )
    assert len(numbers) == 5
    assert float(numbers["layer 2: g ="]) > float(numbers["layer 1: g ="]) > 0.1
    assert float(numbers["pruned:"]) > 50
    assert float(numbers["sample basin"]) > 0.05
    assert float(numbers["weight basin"]) > 0.05
    exec(compile(of_any_network, "own_network.md", "exec"), names)
    first, second = names["table"].query("`class` == -1").g
    assert second > first > 0.1
    (shown,) = re.findall(r"```text\n(.*?)```", page, re.DOTALL)
    headings = [line.split() for line in shown.splitlines() if "error" in line]
    said = capsys.readouterr().out.splitlines()
    assert headings == [line.split() for line in said if "error" in line]


def test_the_example_of_a_monitor_runs(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (example,) = re.findall(r"```python\n(.*?)```", pages()["monitor.md"], re.DOTALL)
    exec(compile(example, "monitor.md", "exec"), {})
    last = capsys.readouterr().out.splitlines()[-2].split()
    assert last[1:4] == ["200", "pruning", "2"]
    assert float(last[4]) > 0.5
    assert (tmp_path / "course.csv").is_file()


def test_every_page_is_in_the_navigation_of_the_site():
    navigation = (DOCS.parent / "mkdocs.yml").read_text(encoding="utf-8")
    yaml.safe_load(navigation)
    listed = set(re.findall(r": ([a-z_]+\.md)$", navigation, re.MULTILINE))
    assert listed == {*pages(), "index.md"}


def test_every_file_that_a_page_names_is_there():
    missing = [
        (name, target)
        for name, text in pages().items()
        for target in re.findall(r"\]\(([^)#\s]+)", text)
        if "://" not in target and not (DOCS / target).exists()
    ]
    assert missing == []


def test_the_python_reference_has_every_public_name():
    documented = re.findall(r"^::: netdyn\.(\S+)$", pages()["reference_python.md"], re.MULTILINE)
    public = {f"{home}.{name}" for name, home in _public.NAMES.items()}
    # And the class of what `netdyn.read` returns, whose methods are the measures.
    assert sorted(documented) == sorted(public | {"analysis.measuring.Analysis"})
