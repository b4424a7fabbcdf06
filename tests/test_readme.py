import io
import re
from pathlib import Path

import fill
import fill_readme
import fill_times
import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_readme_is_short_enough_to_be_read():
    assert README.count("\n") <= 200


def test_pages_with_numbers_are_what_tables_settings_and_code_make_them():
    assert fill.out_of_date() == []


@pytest.mark.parametrize(
    ("table", "old", "new", "said"),
    [
        ("results/cpu/reference/claims.csv", "ρ = 0.49 over 147", "ρ = 0.12 over 99", "ρ = 0.12"),
        ("docs/speed/first_run.csv", "demo_disk,0.5", "demo_disk,7.5", "7.5 GB results"),
    ],
)
def test_numbers_follow_the_tables(table, old, new, said, monkeypatch):
    read = Path.open

    def changed(path, *arguments, **keywords):
        file = read(path, *arguments, **keywords)
        if path != ROOT / table:
            return file
        with file:
            return io.StringIO(file.read().replace(old, new))

    monkeypatch.setattr(Path, "open", changed)
    assert said in fill_readme.page(ROOT)


@pytest.mark.parametrize("page", ["README.md", "docs/scales.md", "docs/times.md"])
def test_pages_say_of_which_networks_there_are_results(page):
    said = fill_readme.Numbers(ROOT).seeds("paper")
    assert re.fullmatch(r"seed 0 of \d+ networks, seed 1 of \d+ and seed 2 of \d+", said)
    assert said in (ROOT / page).read_text(encoding="utf-8")


def test_seeds_are_counted_by_network_whatever_is_swept(tmp_path):
    tables = tmp_path / "results/one/reference/tables"
    tables.mkdir(parents=True)
    (tables / "a_history.csv").write_text(
        "run,width,seed,step\na,8,0,0\na,8,0,1\na,9,0,0\na,9,1,0\n"
    )
    (tables / "b_history.csv").write_text("run,seed,step\nb,0,0\n")
    (tables / "b_gradient.csv").write_text("run,seed,step\nb,2,0\n")
    numbers = object.__new__(fill_readme.Numbers)
    numbers._root = tmp_path
    assert numbers.seeds("one") == "seed 0 of 3 networks and seed 1 of 1"


def test_what_the_run_shows_at_its_start_is_what_the_page_shows():
    """Of scale demo: the jobs that the committed times are of."""
    seconds, jobs = fill_times.seconds_and_jobs(ROOT, "demo")
    page = (ROOT / "docs/running.md").read_text(encoding="utf-8")
    (shown,) = re.findall(
        r"^(\d+) jobs, about (\d+) min on 2 cores; figures will be", page, re.MULTILINE
    )
    assert int(shown[0]) == jobs
    assert 60 * int(shown[1]) == pytest.approx(seconds / 2, rel=0.25)
    assert f"of {jobs} jobs · about" in page


def test_a_number_that_the_scorecard_does_not_have_is_an_error():
    numbers = fill_readme.Numbers(ROOT)
    assert numbers.seen("C53", "over {} networks") == "147"
    with pytest.raises(ValueError, match="nothing of C53 like"):
        numbers.seen("C53", "over {} seeds")


def test_the_example_of_ones_own_network_prints_what_the_page_says(capsys):
    examples = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    exec(compile("\n".join(examples), "README.md", "exec"), {})
    said = capsys.readouterr().out
    (shown,) = re.findall(r"```text\n(.*?)```", README, re.DOTALL)
    number = r"\d+\.\d+"
    assert re.sub(number, "", said) == re.sub(number, "", shown)
    # Rounding differs by processor, and training amplifies it.
    expected = pytest.approx([float(n) for n in re.findall(number, shown)], rel=0.1, abs=0.02)
    assert [float(n) for n in re.findall(number, said)] == expected


def test_every_file_that_the_readme_names_is_there():
    targets = [target.partition("#")[0] for target in re.findall(r"\]\(([^)]+)\)", README)]
    local = [target for target in targets if target and "://" not in target]
    assert len(local) > 15
    assert [target for target in local if not (ROOT / target).exists()] == []
