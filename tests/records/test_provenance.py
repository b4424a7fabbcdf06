import subprocess

from netdyn.records import provenance


def test_a_commit_has_a_plus_where_the_code_differs_from_it(tmp_path):
    def git(*words):
        identity = ["-c", "user.name=x", "-c", "user.email=x@example.org"]
        subprocess.run(["git", *identity, *words], cwd=tmp_path, check=True, capture_output=True)

    code, results = tmp_path / "src" / "package", tmp_path / "results"
    for folder in (code, results):
        folder.mkdir(parents=True)
        (folder / "file").write_text("1")
    assert provenance._commit(code) is None
    git("init")
    git("add", ".")
    git("commit", "-m", "all")
    commit = provenance._commit(code)
    assert len(commit) == 40
    (results / "file").write_text("2")
    assert provenance._commit(code) == commit
    (code / "file").write_text("2")
    assert provenance._commit(code) == f"{commit}+"
