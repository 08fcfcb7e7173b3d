"""Files by names that nobody can guess: what was shown to a visitor, and no other file, is served under its name."""

from __future__ import annotations

import secrets
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from starlette.responses import FileResponse, Response

from picturelab.failures import printable

from .responses import refusal

# Names that are remembered; uploads have their own, so that nobody's pictures lose theirs to them.
_MOST = 20_000
_MOST_UPLOADS = 10_000  # more than may be uploaded by default while an upload counts
_PICTURES = {".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".webp": "image/webp"}
_PREFIX = "files"


@dataclass(frozen=True)
class _Named:
    path: Path
    is_upload: bool


class NamedFiles:
    """The files that were shown, by name; the names end with the page's process.

    Args:
        output: nothing outside this folder gets a name.
        on_shown: is given each file that is served.
    """

    def __init__(self, output: Path, on_shown: Callable[[Path], None]) -> None:
        self._output, self._on_shown = output.resolve(), on_shown
        self._files: OrderedDict[str, _Named] = OrderedDict()  # the longest unused first
        self._uploads: OrderedDict[str, _Named] = OrderedDict()
        self._secrets: dict[Path, str] = {}

    def name(self, path: str | Path, *, is_upload: bool = False) -> str:
        """The name of a file; of one outside the output folder its own last part, under which nothing is served."""
        where = Path(path)
        if not where.is_relative_to(self._output):
            return where.name
        secret = self._secrets.get(where)
        if secret is None:
            secret = self._secrets[where] = secrets.token_urlsafe(16)
            names, most = (self._uploads, _MOST_UPLOADS) if is_upload else (self._files, _MOST)
            names[secret] = _Named(where, is_upload)
            if len(names) > most:
                _, unused = names.popitem(last=False)
                del self._secrets[unused.path]
        self._look_up(secret)
        return f"{_PREFIX}/{secret}/{where.name}"

    def has_name(self, path: Path) -> bool:
        """Whether a file has a name already."""
        return path in self._secrets

    def path(self, name: str) -> Path | None:
        """The file of a name; None where there is none."""
        named = self._named(name)
        return named.path if named else None

    async def serve(self, name: str, scope: Any, receive: Any, send: Any) -> None:
        """Answer a request for a file. Only our own pictures are shown; everything else is a download."""
        named = self._named(name)
        if named is None or not named.path.is_file():
            response: Response = refusal(
                403, f"there is no file {printable(name)[:80]!r} here, or it has gone"
            )
        else:
            self._on_shown(named.path)
            kind = _PICTURES.get(named.path.suffix.lower())
            response = FileResponse(
                named.path,
                media_type=kind or "application/octet-stream",
                filename=named.path.name,
                content_disposition_type="inline" if kind and not named.is_upload else "attachment",
                headers={"Cache-Control": "private, max-age=3600"},
            )
        await response(scope, receive, send)

    def _named(self, name: str) -> _Named | None:
        prefix, _, rest = name.partition("/")
        secret, _, last = rest.partition("/")
        named = self._look_up(secret)
        return named if named and prefix == _PREFIX and last == named.path.name else None

    def _look_up(self, secret: str) -> _Named | None:
        """What a secret stands for, which is in use now and stays the longest."""
        for names in (self._files, self._uploads):
            if secret in names:
                names.move_to_end(secret)
                return names[secret]
        return None

    def outward(self, value: Any) -> Any:
        """An answer in which each file stands by its name."""
        if isinstance(value, list):
            return [self.outward(one) for one in value]
        if not isinstance(value, dict):
            return value
        new = {key: self.outward(one) for key, one in value.items()}
        if isinstance(value.get("path"), str) and ("meta" in value or "url" in value):
            new["path"] = self.name(value["path"])
            if isinstance(value.get("url"), str):
                new["url"] = f"{value['url'].partition('file=')[0]}file={quote(new['path'])}"
        return new

    def inward(self, value: Any) -> Any:
        """A request in which each file stands by its path.

        Raises:
            ValueError: a name is of no file that was shown or uploaded.
        """
        if isinstance(value, list):
            return [self.inward(one) for one in value]
        if not isinstance(value, dict):
            return value
        new = {key: self.inward(one) for key, one in value.items()}
        if isinstance(value.get("path"), str):
            path = self.path(value["path"])
            if path is None:
                raise ValueError(f"there is no file {printable(value['path'])[:80]!r} here: upload it first")
            new["path"] = str(path)
            new.pop("url", None)
        return new
