"""What stands on the site besides docs/: README and the other files of the root, and a page for each package's names.

mkdocs calls the two functions. Pages link as they do in the repository; here the links are turned to where the files
stand on the site.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path, PurePosixPath
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[1]
# {a file of the repository: its page}
OUTSIDE = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "SECURITY.md": "security.md",
    "benchmarks/results/h100.md": "h100.md",
    "comfyui/README.md": "comfyui.md",
    "LICENSE": "LICENSE.txt",
    "NOTICE": "NOTICE.txt",
}
# {a package: the file that lists its names}
PACKAGES = {
    "fouriscale": "fouriscale/__init__.py",
    "padtone": "padtone/__init__.py",
    "shapeworld": "shapeworld/__init__.py",
}
_LINK = re.compile(r'(?P<begin>\]\(|src=")(?P<target>[^)"\s#:]+)(?P<end>#[^)"\s]*)?(?=[)"])')


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are not in docs/."""
    for source, page in OUTSIDE.items():
        files.append(File.generated(config, page, content=(ROOT / source).read_text()))
    for package, listing in PACKAGES.items():
        files.append(File.generated(config, f"api/{package}.md", content=_names_of(package, ROOT / listing)))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """The page with its links as they are on the site."""
    came_from = {page: source for source, page in OUTSIDE.items()}
    here = PurePosixPath(came_from.get(page.file.src_uri, f"docs/{page.file.src_uri}"))
    if here.parts[:2] == ("docs", "api"):
        return markdown

    def turned(match: re.Match[str]) -> str:
        target = _plain(here.parent / match["target"])
        place = OUTSIDE.get(target) or target.removeprefix("docs/")
        return f"{match['begin']}{place}{match['end'] or ''}"

    return _LINK.sub(turned, markdown)


def _plain(path: PurePosixPath) -> str:
    """A path within the repository without the dots in it."""
    parts: list[str] = []
    for part in path.parts:
        if part == "..":
            parts.pop()
        else:
            parts.append(part)
    return "/".join(parts)


def _names_of(package: str, listing: Path) -> str:
    """A page of what `__all__` lists, in the order that it has there."""
    for node in ast.parse(listing.read_text()).body:
        if isinstance(node, ast.Assign) and [ast.unparse(target) for target in node.targets] == ["__all__"]:
            names = ast.literal_eval(node.value)
            blocks = "".join(f"\n::: {package}.{name}\n" for name in names)
            return f"# {package}\n\n{ast.get_docstring(ast.parse(listing.read_text()))}\n{blocks}"
    raise ValueError(f"{listing} lists no names: it has no __all__")
