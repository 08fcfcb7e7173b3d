"""The page as a process of its own, as a person starts it; Gradio's loose ends stay out of the tests."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]


@contextlib.contextmanager
def page_server(output: Path, *switches: str, script: str = "app.py") -> Iterator[str]:
    """`python app.py` on a free port; gives its address.

    Args:
        output: the page's output folder.
        switches: further words of the command line.
        script: another one that starts the page, in the checkout.
    """
    command = [sys.executable, str(ROOT / script), "--output", str(output), *switches]
    usual = {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", "HF_HUB_OFFLINE": "1"}
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=os.environ | usual
    )
    assert process.stdout is not None
    lines: list[str] = []
    reader = threading.Thread(target=lines.extend, args=(process.stdout,), daemon=True)
    try:
        for line in process.stdout:
            lines.append(line)
            address = re.match(r"the page: (\S+)", line)
            if address:
                break
        else:
            raise RuntimeError(f"the page did not start: {''.join(lines[-20:])}")
        # Goes on reading, or the page would wait for room in the pipe.
        reader.start()
        yield address[1]
    finally:
        process.terminate()
        process.wait(20)
        if reader.ident:
            reader.join(5)
        process.stdout.close()
        assert not any("Traceback" in line for line in lines), "".join(lines)
