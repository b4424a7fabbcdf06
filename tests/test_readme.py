import re
from pathlib import Path

README = (Path(__file__).parent.parent / "README.md").read_text()


def test_the_example_of_ones_own_network_runs_and_shows_a_trained_one(capsys):
    (example,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    exec(compile(example, "README.md", "exec"), {})
    said = capsys.readouterr().out
    numbers = dict(
        re.findall(r"(layer \d: g =|pruned:|sample basin|weight basin) (\S+?)[,%\n ]", said)
    )
    assert len(numbers) == 5
    assert float(numbers["layer 2: g ="]) > float(numbers["layer 1: g ="]) > 0.1
    assert float(numbers["pruned:"]) > 50
    assert float(numbers["sample basin"]) > 0.05
    assert float(numbers["weight basin"]) > 0.05


def test_every_file_that_the_readme_names_is_there():
    root = Path(__file__).parent.parent
    targets = [target.partition("#")[0] for target in re.findall(r"\]\(([^)]+)\)", README)]
    local = [target for target in targets if target and "://" not in target]
    assert len(local) > 15
    assert [target for target in local if not (root / target).exists()] == []
