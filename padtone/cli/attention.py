"""The command `padtone attention`. Heavy imports wait until it runs."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from picturelab.bounds import BOUNDS, check, shown
from picturelab.cli.arguments import Bounded, pixels
from picturelab.cli.options import Device, Dtype, Guidance
from picturelab.cli.progress import stage_bars
from picturelab.cli.run import say
from picturelab.extras import require
from picturelab.failures import printable_json
from picturelab.files import output_file, slug
from picturelab.worlds import DEFAULT_MODEL

from .loading import check_model, load
from .options import OUTPUTS, Length, Model, Out, Prompt, Size

if TYPE_CHECKING:
    from ..maths.attention_sizes import AttentionAtSize


def attention(
    prompt: Prompt,
    model: Model = DEFAULT_MODEL,
    scales: Annotated[str, typer.Option(help="Factors of the training size, separated by commas.")] = "1,2,4",
    size: Size = None,
    steps: Annotated[
        int, typer.Option(parser=Bounded("steps"), metavar="<int>", help="Inference steps.")
    ] = 4,
    seed: Annotated[int, typer.Option(parser=Bounded("seed"), metavar="<int>", help="Of the noise.")] = 0,
    out: Out = OUTPUTS,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    guidance: Guidance = None,
    max_length: Length = None,
    device: Device = None,
    dtype: Dtype = None,
) -> None:
    """How much of the image's attention goes to padding at larger sizes, and to which rows, where and when?

    --size is the training size, where the model does not say its own.
    """
    require("padtone attention", "audit", "matplotlib")
    factors = _factors(scales)
    base = None if size is None else pixels(size)
    path = output_file(out, f"attention-{slug(prompt)}")
    check_model(model, prompt, dtype=dtype)
    from ..interventions.attention_sizes import attention_by_size, scaled_sizes, size_multiple, training_size
    from ..recipe import SHEET, save_with_recipe
    from ..reports.attention_sizes import attention_sizes_chart
    from ..runs.request import call_arguments

    pipe = load(model, device, dtype)
    call = call_arguments(pipe, model, steps=steps, guidance=guidance, max_length=max_length)
    own = call.pop("height", None), call.pop("width", None)
    if base is None:
        base = own if None not in own else training_size(pipe)
    sizes = scaled_sizes(base, factors, size_multiple(pipe))
    with stage_bars() as progress:
        found = attention_by_size(pipe, prompt, sizes, seed=seed, on_progress=progress, **call)
    save_with_recipe(
        attention_sizes_chart(found, prompt), path, {SHEET: "attention", "model": model, "prompt": prompt}
    )
    if as_json:
        typer.echo(printable_json(json.dumps([entry.to_dict() for entry in found], allow_nan=False)))
        return
    for entry in found:
        for line in _lines(entry):
            say(line)
    say(f"{_found(found)}; that is where it looks, and whether padding is used `padtone audit` tells")
    say(f"even: if every key were attended to alike; layers and steps from 0: {path}")


def _factors(text: str) -> list[float]:
    """Numbers between commas.

    Raises:
        ValueError: they are none, too many, or one lies outside the bounds.
    """
    try:
        factors = [float(part) for part in text.split(",")]
    except ValueError:
        raise ValueError(f"scales is {shown(text)}; it is numbers between commas, such as 1,2,4") from None
    for factor in factors:
        if not BOUNDS["times"].holds(factor):
            raise ValueError(f"scales is {shown(text)}; each is {BOUNDS['times'].words}")
    check("scales", len(factors), "batch")
    return factors


def _found(sizes: Sequence[AttentionAtSize]) -> str:
    """How much of the attention padding takes at the smallest and the largest size, beside an even share."""

    def of(entry: AttentionAtSize) -> str:
        share, even = entry.shares.share("padding"), entry.shares.even("padding")
        beside = f", {share / even:.2g} times its even share" if even else ""
        return f"{share:.1%} of the image's attention at {entry.width}x{entry.height}{beside}"

    smallest, *others = sorted(sizes, key=lambda entry: entry.height * entry.width)
    return f"padding takes {'; '.join(map(of, [smallest, *others[-1:]]))}"


def _lines(entry: AttentionAtSize) -> list[str]:
    from ..maths.attention_sizes import row_name

    known = {group: entry.shares.share(group) for group in entry.shares.groups}
    shares = ", ".join(
        f"{group} {share:.1%}" for group, share in known.items() if share or group == "padding"
    )
    lines = [f"{entry.width}x{entry.height}: {shares}; padding if even {entry.shares.even('padding'):.1%}"]
    words: dict[str, Callable[[int], str]] = {
        "layers": lambda layer: f"{layer} ({entry.layers[layer]})",
        "steps": str,
        "rows": row_name,
    }
    for name, places in entry.sinks().items():
        most = ", ".join(f"{words[name](place)} {share:.1%}" for place, share in places)
        lines.append(f"  {name} with most to padding: {most or 'there is no padding'}")
    return lines
