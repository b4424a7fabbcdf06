"""What MkDocs does not do by itself: README as the front page, files outside docs/, formulas.

Pages link to files of the repository as they lie in it, so that the links work on GitHub, too.
Those outside of docs/ are copied into the site, Markdown as pages.
"""

import html
import re
from pathlib import Path

from latex2mathml.converter import convert
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[1]
LINK = re.compile(r"(\]\()([^)#\s]+)")


def on_files(files: Files, config: object) -> Files:
    """Add README.md as the front page, and every file that a page links to outside of docs/."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    files.append(File.generated(config, "index.md", content=LINK.sub(_from_root, readme)))
    pages = [page for page in files.documentation_pages() if page.src_uri != "index.md"]
    outside = _outside(ROOT, readme) | {
        path
        for page in pages
        for path in _outside(Path(page.abs_src_path).parent, page.content_string)
    }
    while outside:  # Markdown there has links, too
        path = outside.pop()
        name = path.relative_to(ROOT).as_posix()
        if not files.get_file_from_path(name):
            files.append(File.generated(config, name, abs_src_path=str(path)))
            if path.suffix == ".md":
                outside |= _outside(path.parent, path.read_text(encoding="utf-8"))
    return files


def on_page_markdown(markdown: str, page: object, **_: object) -> str:
    """Point links that leave docs/ to the copies."""
    if page.file.src_uri == "index.md":
        return markdown
    here = (ROOT / "docs" / page.file.src_uri).parent
    source = Path(page.file.abs_src_path).parent if page.file.abs_src_path else here

    def moved(match: re.Match) -> str:
        target = _target(source, match[2])
        if target is None:
            return match[0]
        name = target.relative_to(ROOT).as_posix()
        name = "index.md" if name == "README.md" else name.removeprefix("docs/")
        up = "../" * page.file.src_uri.count("/")
        return f"{match[1]}{up}{name}"

    return LINK.sub(moved, markdown)


def on_page_content(content: str, **_: object) -> str:
    """Turn formulas into MathML, which browsers show without a script."""
    content = re.sub(
        r'<div class="arithmatex">\\\[(.*?)\\\]</div>',
        lambda match: convert(html.unescape(match[1]), display="block"),
        content,
        flags=re.DOTALL,
    )
    return re.sub(
        r'<span class="arithmatex">\\\((.*?)\\\)</span>',
        lambda match: convert(html.unescape(match[1])),
        content,
        flags=re.DOTALL,
    )


def _from_root(match: re.Match) -> str:
    return match[1] + match[2].removeprefix("docs/")


def _outside(folder: Path, markdown: str) -> set[Path]:
    """Return the files outside of docs/ that a text links to."""
    targets = {_target(folder, link) for _, link in LINK.findall(markdown)} - {None}
    inside = ROOT / "docs"
    return {t for t in targets if inside not in t.parents and t != ROOT / "README.md"}


def _target(folder: Path, link: str) -> Path | None:
    """Return the file of the repository that a link means; None for other links."""
    path = (folder / link).resolve()
    return path if "://" not in link and path.is_file() and ROOT in path.parents else None
