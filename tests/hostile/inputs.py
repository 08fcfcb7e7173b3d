"""Files that strangers bring, and a good one of each kind."""

from __future__ import annotations

import itertools
import json
import struct
import zlib
from pathlib import Path

from PIL import Image, PngImagePlugin

FOURISCALE = {
    "model": "shapeworld/unet", "revision": None, "prompt": "a red circle", "negative_prompt": None, "seed": 0,
    "height": 64, "width": 64, "steps": 1, "guidance": 1.0, "config": None, "batch_size": 1, "batch_index": 0,
    "vae_tiling": False, "scheduler": {"class": "DDIMScheduler", "config": {}}, "threads": 1, "dtype": "float32",
    "device": "cpu", "versions": {},
}  # fmt: skip
GRID = {
    "command": "ite", "prompt": "a red circle", "model": "shapeworld/unet", "revision": None, "arms": ["full"],
    "seeds": [0], "clean": "padding", "pooled": "full", "layers": None, "span": [0, 1],
    "call": {"num_inference_steps": 1, "height": 64, "width": 64}, "device": "cpu", "dtype": "float32",
    "threads": 1, "versions": {},
}  # fmt: skip
ARM = {
    "command": "batch", "prompt": "a red circle", "model": "shapeworld/unet", "revision": None, "keep": "full",
    "seed": 0, "batch_size": 1, "batch_index": 0, "call": {"num_inference_steps": 1, "height": 64, "width": 64},
    "device": "cpu", "dtype": "float32", "threads": 1, "versions": {},
}  # fmt: skip
JOB = {"prompt": "a red circle", "size": "64x64", "steps": 1}


def write_png(path: Path, chunk: str, text: str, side: int = 8) -> None:
    """A picture with this text; of a large one only the header is true."""
    rows = zlib.compress((b"\0" + b"\0\0\0" * side) * side if side < 1000 else b"\0" * 100)
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    words = chunk.encode() + b"\0" + text.encode("latin-1", "replace")
    parts = [(b"IHDR", header), (b"tEXt", words), (b"IDAT", rows), (b"IEND", b"")]
    chunks = [
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in parts
    ]
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(chunks))


def write_inputs(folder: Path) -> None:
    """The files that options are pointed at."""
    folder.mkdir()
    write_png(folder / "good.png", "fouriscale", json.dumps(FOURISCALE))
    write_png(folder / "grid.png", "padtone", json.dumps(GRID))
    write_png(folder / "bomb.png", "fouriscale", json.dumps(FOURISCALE), side=30_000)
    hub = {"scheduler": {"class": "DDIMScheduler", "config": "owner/name"}}
    write_png(folder / "hub.png", "fouriscale", json.dumps(FOURISCALE | hub))
    write_png(folder / "nested.png", "fouriscale", "[" * 200_000)
    write_png(folder / "digits.png", "fouriscale", '{"seed": ' + "9" * 5000 + "}")
    write_png(folder / "double.png", "fouriscale", json.dumps(FOURISCALE)[:-1] + ', "seed": 1}')
    _write_compressed(folder / "text-bomb.png")
    (folder / "cut.png").write_bytes((folder / "good.png").read_bytes()[:60])
    Image.new("RGB", (8, 8)).save(folder / "photo.jpg")
    (folder / "empty.png").touch()
    (folder / "text.txt").write_text("hello\n")
    (folder / "bytes.txt").write_bytes(bytes(range(256)))
    (folder / "garbage.safetensors").write_bytes(b"\xff" * 7 + b"\x7f{}")
    (folder / "empty.safetensors").touch()
    (folder / "good.jsonl").write_text(json.dumps(JOB) + "\n")
    (folder / "nested.jsonl").write_text("[" * 100_000 + "\n")
    (folder / "long.csv").write_text("id,prompt\nx,a red circle" + " a" * 100_000 + "\n")
    (folder / "quote.csv").write_text('id,prompt\nx,"a red circle\n')
    (folder / "huge.yaml").write_text("prompts: [a, b]\nseeds: 0-999999999999999999\n")
    (folder / "aliases.yaml").write_text(_aliases())
    (folder / "nested.yaml").write_text("[" * 5000)
    (folder / "tag.yaml").write_text("layers: !!python/object/apply:os.system ['true']\n")
    (folder / "not.parquet").write_text("PAR1")
    (folder / "folder.png").mkdir()
    (folder / "model").mkdir()
    (folder / "model" / "model_index.json").write_text("[" * 100_000)
    (folder / "list-model").mkdir()
    (folder / "list-model" / "model_index.json").write_text("[]")
    (folder / "name[b]").mkdir()


def _write_compressed(path: Path) -> None:
    info = PngImagePlugin.PngInfo()
    info.add_text("fouriscale", "x" * 50_000_000, zip=True)
    Image.new("RGB", (8, 8)).save(path, pnginfo=info)


def _aliases() -> str:
    """Nine lists of nine lists of nine ..., in half a kilobyte."""
    names = "abcdefghi"
    lists = [f"- &{new} [{', '.join([f'*{old}'] * 9)}]" for old, new in itertools.pairwise(names)]
    return "\n".join(["training_sizes:", "- &a [x, x, x, x, x, x, x, x, x]", *lists]) + "\n"
