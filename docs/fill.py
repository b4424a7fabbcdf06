"""Write the pages that are made from tables, settings and code, README.md among them.

python docs/fill.py            writes them
python docs/fill.py --check    names those that are out of date; status 1 if there are any
"""

import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import fill_commands
import fill_configuration
import fill_examples
import fill_package
import fill_readme
import fill_tables
import fill_times

__all__ = ["PAGES", "out_of_date"]

ROOT = Path(__file__).parents[1]
PAGES: Mapping[str, Callable[[Path], str]] = {
    "README.md": fill_readme.page,
    "docs/reference_configuration.md": fill_configuration.page,
    "docs/examples.md": fill_examples.page,
    "docs/reference_tables.md": fill_tables.page,
    "docs/reference_commands.md": fill_commands.page,
    "docs/package_page.txt": fill_package.page,
    "docs/times.md": fill_times.page,
}


def out_of_date() -> list[str]:
    """Return the pages that are not what they would be made to."""
    return [name for name, page in PAGES.items() if _text(ROOT / name) != page(ROOT)]


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.exists() else ""


def _main() -> int:
    stale = out_of_date()
    for name in stale:
        if "--check" in sys.argv[1:]:
            print(f"error: {name} is out of date: python docs/fill.py", file=sys.stderr)
        else:
            (ROOT / name).write_text(PAGES[name](ROOT), encoding="utf-8")
            print(f"wrote {name}")
    return int(bool(stale) and "--check" in sys.argv[1:])


if __name__ == "__main__":
    sys.exit(_main())
