"""Files that pages hold within themselves: plotly.js, and the style and scripts of this room."""

from importlib.util import find_spec
from pathlib import Path

from netdyn.errors import NetdynError

__all__ = ["asset", "plotly_bundle"]


def asset(name: str) -> str:
    """Return the text of a style sheet or script of this room."""
    return (Path(__file__).parent / name).read_text("utf-8")


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
            return path.read_text("utf-8").replace("</script", r"<\/script")
    raise NetdynError("pages need plotly, which is not installed: pip install 'netdyn[explorer]'")
