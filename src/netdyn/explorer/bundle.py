"""Files that pages hold within themselves: plotly.js, and the style and scripts of this room."""

from importlib.util import find_spec
from pathlib import Path

from netdyn.errors import NetdynError

__all__ = ["asset", "plotly_bundle"]


def asset(name: str) -> str:
    """Return the text of a style sheet or script of this room."""
    return (Path(__file__).parent / name).read_text("utf-8")


def parsed_once(bundle: str) -> str:
    """Return a bundle with the function that holds all of it in parentheses.

    Engines take such a function for one that is called at once. Otherwise they first read its
    megabytes to find its end, and then again. A bundle that is built otherwise stays as it is.
    """
    head, tail = ": this, () => {", "}));"
    code = bundle.rstrip()
    if code.count(head) != 1 or not code.endswith(tail):
        return bundle
    return code.replace(head, ": this, (() => {").removesuffix(tail) + "})));\n"


def plotly_bundle() -> str:
    """Return plotly.js with the notice of its licence, as the Python package plotly carries it.

    Raises:
        NetdynError: plotly is not installed, or holds no plotly.js.
    """
    # Its path alone: to import the package would take longer than to write a page.
    spec = find_spec("plotly")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        path = Path(folder) / "package_data" / "plotly.min.js"
        if path.is_file():
            # In a script, this is what would end it.
            return parsed_once(path.read_text("utf-8").replace("</script", r"<\/script"))
    raise NetdynError("pages need plotly, which is not installed: pip install 'netdyn[explorer]'")
