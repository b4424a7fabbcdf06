"""The page of the package, on PyPI and in its metadata: parts of README.md, and what it holds."""

import re
import tomllib
from pathlib import Path

import fill_readme

__all__ = ["absolute", "page"]

START = """## Install

```sh
pip install .    # in a clone of the repository
```

This gives the library: `netdyn.read` and its tables need neither Snakemake nor matplotlib. Extras
add the rest: `pip install '.[plot]'` brings matplotlib for `netdyn.plot`, `'.[analyse]'` what the
pages of `netdyn analyse` need as well, and `'.[workflow]'` Snakemake and torchvision.

**What the package does not hold:** the workflow (Snakefile, rules and settings), the committed
tables and figures of the paper's reproduction, and the documentation. They are in the repository.
So is what `netdyn resolve`, `run` and `score` read. A network from a file is measured without it:

```sh
netdyn analyse model.pt2 data.npz --output report
```

"""
KEPT = ("The idea", "Your own network", "Cite")


def page(root: Path) -> str:
    """Return the page.

    Args:
        root: of the repository.
    """
    head, *sections = re.split(r"^(?=## )", fill_readme.page(root), flags=re.MULTILINE)
    kept = {name: text for text in sections for name in KEPT if text.startswith(f"## {name}\n")}
    text = head + kept["The idea"] + START + kept["Your own network"] + kept["Cite"]
    with (root / "pyproject.toml").open("rb") as file:
        urls = tomllib.load(file)["project"].get("urls", {})
    return absolute(text, urls.get("Repository"))


def absolute(text: str, repository: str | None) -> str:
    """Return Markdown whose links into the repository are absolute, pictures to what is shown.

    Args:
        text: with links relative to the repository's root.
        repository: its URL, as on GitHub and GitLab; None leaves the links as they are.
    """
    if repository is None:
        return text
    base = repository.removesuffix("/").removesuffix(".git")

    def full(match: re.Match) -> str:
        picture, words, target = match.groups()
        if "://" in target or target.startswith("#"):
            return match[0]
        return f"{picture}[{words}]({base}/{'raw' if picture else 'blob'}/HEAD/{target})"

    return re.sub(r"(!?)\[([^\]]*)\]\(([^)\s]+)\)", full, text)
