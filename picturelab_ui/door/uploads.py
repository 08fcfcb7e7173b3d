"""Pictures that visitors upload: PNGs only, for their recipes, and not more than the disk can take."""

from __future__ import annotations

import contextlib
import json
import time
from collections import Counter, deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

from picturelab.failures import printable

from .files import NamedFiles
from .requests import RequestError
from .responses import refusal

_PNG = b"\x89PNG\r\n\x1a\n"
_WINDOW = 600.0  # seconds for which an upload counts
_LEAST = 2**16  # bytes that an upload counts as: a small one costs a file and a name too


class UploadAllowance:
    """How many bytes each address, and all together, may upload within ten minutes."""

    def __init__(
        self, most_of_an_address: int, most: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._most_of_an_address, self._most, self._clock = most_of_an_address, most, clock
        self._uploads: deque[tuple[float, str, int]] = deque()  # oldest first
        self._sums: Counter[str] = Counter()  # of an address
        self._sum = 0

    def take(self, address: str, size: int) -> None:
        """Count an upload; each counts as 64 KiB at least.

        Raises:
            RequestError: it is too much.
        """
        now = self._clock()
        while self._uploads and now - self._uploads[0][0] >= _WINDOW:
            self._forget()
        size = max(size, _LEAST)
        if self._sums[address] + size > self._most_of_an_address or self._sum + size > self._most:
            raise RequestError(429, "too much has been uploaded here: try again in ten minutes")
        self._uploads.append((now, address, size))
        self._sums[address] += size
        self._sum += size

    def _forget(self) -> None:
        _, address, size = self._uploads.popleft()
        self._sum -= size
        self._sums[address] -= size
        if not self._sums[address]:
            del self._sums[address]


class UploadAnswer:
    """An ASGI `send` for Gradio's answer to an upload, which names the files: each that is no PNG goes at once."""

    def __init__(self, send: Any, scope: Any, receive: Any, files: NamedFiles) -> None:
        self._send, self._scope, self._receive, self._files = send, scope, receive, files
        self._start: dict[str, Any] = {}
        self._body = b""

    async def __call__(self, message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            self._start = message
            return
        self._body += message.get("body", b"")
        if message.get("more_body"):
            return
        if self._start["status"] != 200:
            await self._send(self._start)
            await self._send({"type": "http.response.body", "body": self._body})
            return
        paths = [Path(path) for path in json.loads(self._body)]
        wrong = [path.name for path in paths if not _is_png(path)]
        if wrong:
            for path in paths:
                if self._files.has_name(path):  # the same picture, which somebody else uploaded
                    continue
                with contextlib.suppress(OSError):
                    path.unlink()
                    path.parent.rmdir()
            sentence = f"{printable(wrong[0])[:80]} is no PNG, the only kind of file that this page takes"
            response = refusal(415, sentence)
            response.body = json.dumps(f"{sentence}.").encode()  # clients of Gradio show it as it is
        else:
            response = refusal(200, "")
            names = [self._files.name(path, is_upload=True) for path in paths]
            response.body = json.dumps(names).encode()
        response.headers["Content-Length"] = str(len(response.body))
        await response(self._scope, self._receive, self._send)


def _is_png(path: Path) -> bool:
    try:
        with path.open("rb") as stream:
            return stream.read(len(_PNG)) == _PNG
    except OSError:
        return False
