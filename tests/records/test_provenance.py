import subprocess

import pytest

from netdyn.records import provenance


def git(folder, *words):
    identity = ["-c", "user.name=x", "-c", "user.email=x@example.org"]
    subprocess.run(["git", *identity, *words], cwd=folder, check=True, capture_output=True)


def commit_all(folder):
    git(folder, "init")
    git(folder, "add", ".")
    git(folder, "commit", "-m", "all")


@pytest.fixture
def checkout(tmp_path):
    """A checkout of the package with a subpackage and results, not in git yet."""
    for folder in ("src/netdyn/records", "results"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "file").write_text("1")
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "netdyn"\n')
    return tmp_path


@pytest.mark.parametrize("changed", ["file", "records/file", "records/new"])
def test_a_commit_has_a_plus_where_the_code_differs_from_it(checkout, changed):
    code = checkout / "src/netdyn"
    assert provenance._commit(code) is None
    commit_all(checkout)
    commit = provenance._commit(code)
    assert len(commit) == 40
    (checkout / "results/file").write_text("2")
    assert provenance._commit(code) == commit
    (code / changed).write_text("2")
    assert provenance._commit(code) == f"{commit}+"


@pytest.mark.parametrize("place", ["env/lib/netdyn", "src/netdyn"])
def test_the_commit_of_another_project_is_none(tmp_path, place):
    package = tmp_path / place
    package.mkdir(parents=True)
    (package / "file").write_text("1")
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "other"\n')
    commit_all(tmp_path)
    assert provenance._commit(package) is None


def test_a_repository_named_by_the_environment_is_not_the_packages(
    checkout, tmp_path_factory, monkeypatch
):
    commit_all(checkout)
    own = provenance._commit(checkout / "src/netdyn")
    other = tmp_path_factory.mktemp("other")
    (other / "file").touch()
    commit_all(other)
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    assert provenance._commit(checkout / "src/netdyn") == own
