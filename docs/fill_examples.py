"""The page of examples, from the scripts in examples/ and what they print."""

import ast
from pathlib import Path

__all__ = ["NAMES", "page"]

NAMES = (
    *("own_mlp", "cnn_digits", "residual_network"),
    *("monitor_loop", "prune_and_export", "compare_trainings"),
)

INTRODUCTION = """# Examples

<!-- Written by docs/fill.py from examples/*.py and examples/*.txt, what they print. -->

Six scripts of at most 50 lines, each run by itself, such as `python examples/own_mlp.py`, in
seconds. All take the 1,797 digits that scikit-learn carries, and each is a test. Numbers are
those of one machine; others differ in the last digits.
"""


def page(root: Path) -> str:
    """Return the page: each example's words, its code, and what it prints."""
    parts = [INTRODUCTION]
    for name in NAMES:
        source = (root / f"examples/{name}.py").read_text(encoding="utf-8")
        printed = (root / f"examples/{name}.txt").read_text(encoding="utf-8")
        words = ast.get_docstring(ast.parse(source))
        title, _, rest = words.partition("\n\n")
        code = source.split('"""\n', 1)[1].strip("\n")
        parts.append(f"## {title.partition(':')[0]}\n\n{_sentence(title)}{rest}\n")
        parts.append(f"[examples/{name}.py](../examples/{name}.py)\n\n```python\n{code}\n```\n")
        parts.append(f"```text\n{printed.rstrip()}\n```\n")
    return "\n".join(parts)


def _sentence(title: str) -> str:
    """Return what stands behind the colon of a title, as a sentence."""
    words = title.partition(": ")[2]
    return f"{words[0].upper()}{words[1:]}\n\n" if words else ""
