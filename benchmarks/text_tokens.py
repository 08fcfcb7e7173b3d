"""What one call of a joint-attention transformer takes by its number of text tokens: what trimming padding may save.

`python -m benchmarks.text_tokens --device cuda` builds FLUX.1's shape with random weights, which do not matter for
time: 12 billion of them, 24 GB in bfloat16. `--shape small` is of the same kind and fits anywhere. Beside the numbers
asked for stand those that make text and picture together a multiple of 128 tokens, for kernels are chosen by length and
fewer tokens may be slower.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from diffusers import FluxTransformer2DModel
from rich.console import Console

from picturelab.bounds import shown
from picturelab.failures import reason
from picturelab.models import choose_dtype

from .quality import RESULTS
from .sections import Sections, numbers
from .speed.circumstances import about, chosen_device
from .speed.clock import Clock, Timing, alternating, spread
from .speed.results import milliseconds
from .speed.subjects import built

MULTIPLE = 128  # tokens
_PIXELS = 16  # a token of the picture on each axis: the VAE's 8, and patches of 2 x 2
_IN_COMMON = dict(in_channels=64, guidance_embeds=True)
SHAPES: dict[str, dict[str, Any]] = {
    "flux": _IN_COMMON
    | dict(
        num_layers=19,
        num_single_layers=38,
        attention_head_dim=128,
        num_attention_heads=24,
        joint_attention_dim=4096,
        pooled_projection_dim=768,
        axes_dims_rope=(16, 56, 56),
    ),
    "small": _IN_COMMON
    | dict(
        num_layers=2,
        num_single_layers=4,
        attention_head_dim=64,
        num_attention_heads=4,
        joint_attention_dim=128,
        pooled_projection_dim=64,
        axes_dims_rope=(8, 28, 28),
    ),
}
_KEY = ("device", "dtype", "shape", "side")

console = Console(stderr=True)


def lengths(asked: list[int], picture: int) -> list[int]:
    """Numbers of text tokens, the largest first: those asked for, and each rounded up so that the total divides.

    Args:
        picture: tokens of the picture.
    """
    return sorted({*asked, *(count + -(count + picture) % MULTIPLE for count in asked)}, reverse=True)


class Transformer:
    """Calls for one picture, with any number of text tokens."""

    def __init__(self, shape: str, device: torch.device, dtype: torch.dtype):
        self._config, self._how = SHAPES[shape], dict(device=device, dtype=dtype)
        with built(device, dtype):
            self._transformer = FluxTransformer2DModel(**self._config).eval()

    def call(self, picture: int, text: int) -> Callable[[], None]:
        """What calls it on so many tokens of each kind."""
        inputs = {
            "hidden_states": torch.randn(1, picture, self._config["in_channels"], **self._how),
            "encoder_hidden_states": torch.randn(1, text, self._config["joint_attention_dim"], **self._how),
            "pooled_projections": torch.randn(1, self._config["pooled_projection_dim"], **self._how),
            "timestep": torch.ones(1, **self._how),
            "guidance": torch.ones(1, **self._how),
            "img_ids": torch.zeros(picture, 3, **self._how),
            "txt_ids": torch.zeros(text, 3, **self._how),
        }

        def work() -> None:
            with torch.no_grad():
                self._transformer(**inputs, return_dict=False)

        return work


def rows(timings: dict[int, list[Timing]], picture: int) -> list[dict[str, Any]]:
    """By number of text tokens; time over the largest number's, and the least and most of the turns' own."""
    most = timings[max(timings)]
    return [
        {
            "text_tokens": count,
            "tokens": count + picture,
            "seconds": spread([one.seconds for one in of_count]),
            "time": _median(of_count) / _median(most),
            "time_of_turns": spread([a.seconds / b.seconds for a, b in zip(of_count, most, strict=True)]),
        }
        for count, of_count in timings.items()
    ]


def _median(timings: list[Timing]) -> float:
    return statistics.median(timing.seconds for timing in timings)


def to_markdown(sections: list[dict[str, Any]]) -> str:
    lines = ["# A call of a joint-attention transformer by text tokens", ""]
    for section in sections:
        lines += [
            f"## {section['shape']}, {section['side']} pixels a side, {section['device']}",
            "",
            "| text tokens | in all | ms a call | over the largest number | least and most of the turns |",
            "|---|---|---|---|---|",
        ]
        for row in section["rows"]:
            times, rest = divmod(row["tokens"], MULTIPLE)
            total = f"{row['tokens']}" + ("" if rest else f" = {times} x {MULTIPLE}")
            turns = row["time_of_turns"]
            lines.append(
                f"| {row['text_tokens']} | {total} | {milliseconds(row['seconds'])} | {row['time']:.2f} | "
                f"{turns['low']:.2f} to {turns['high']:.2f} |"
            )
        told = ("dtype", "date", "commit", "torch", "diffusers", "turns")
        noted = "; ".join(f"{name} {section[name]}" for name in told if section.get(name) is not None)
        lines += ["", f"{noted}.", ""]
    return "\n".join(lines)


def main(
    shape: Annotated[str, typer.Option(help=f"{' or '.join(SHAPES)}.")] = "flux",
    device: Annotated[str, typer.Option(help="cpu, cuda, cuda:1, ...")] = "cpu",
    dtype: Annotated[str, typer.Option(help="bfloat16, float16 or float32.")] = "bfloat16",
    side: Annotated[str, typer.Option(help="Pixels a side of the picture.")] = "1024,512",
    tokens: Annotated[str, typer.Option(help="Numbers of text tokens.")] = "512,256,128,64,32",
    turns: Annotated[int, typer.Option(min=1, max=1000, help="Of each number.")] = 5,
    out: Annotated[Path, typer.Option(help="The folder of text_tokens.json and text_tokens.md.")] = RESULTS,
) -> None:
    """Time one call by its number of text tokens."""
    try:
        if shape not in SHAPES:
            raise ValueError(f"no shape is called {shown(shape)}; shapes are {', '.join(SHAPES)}")
        where = chosen_device(device)
        kind = choose_dtype(dtype, where)
        sides = numbers(side, "--side", "height", _PIXELS)
        counts = numbers(tokens, "--tokens", "tokens")
        sections = Sections(out, "text_tokens", _KEY, to_markdown)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    transformer = None
    for pixels in sides:
        console.print(f"{shape}, {pixels} pixels a side")
        picture = (pixels // _PIXELS) ** 2
        try:
            transformer = transformer or Transformer(shape, where, kind)
            cases = {count: transformer.call(picture, count) for count in lengths(counts, picture)}
            timings = alternating(cases, turns, Clock(where))
        except RuntimeError as error:  # the device's memory, most likely
            typer.echo(f"Error: {shape} at {pixels} pixels a side failed ({reason(error)})", err=True)
            raise typer.Exit(1) from None
        section = {"shape": shape, "side": pixels, **about(where, kind), "turns": turns}
        section["rows"] = rows(timings, picture)
        sections.keep(section)
    typer.echo(sections.markdown)


if __name__ == "__main__":
    typer.run(main)
