"""What rolling batches would save: direct pictures of unequal steps whose calls of the UNet are gathered into one.

`OMP_NUM_THREADS=1 python -m benchmarks.rolling --processor-time` makes the same pictures one at a time and with several
in flight, of which one that ends is followed by the next between two steps, and prints the table of docs/batch.md. Each
has a thread, diffusers' own pipeline and a scheduler of its own, and rows of one call have their own timesteps:
continuous batching as in E-BATCH (Silfa et al., arXiv 2009.10656) and ORCA (Yu et al., OSDI 2022).
"""

from __future__ import annotations

import queue
import statistics
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Annotated, Any

import torch
import typer

from picturelab.models import load_pipeline
from picturelab_ui.jobs.own_pipeline import own_pipeline

from .batch_sizes import PROMPT, check_clock, processor_time
from .speed.circumstances import about, chosen_device
from .speed.clock import Clock
from .text_tokens import numbers


class Gathered:
    """One UNet for several threads: it is called once all that are in flight have asked.

    Args:
        forward: of the UNet.
        parties: threads in flight.
    """

    def __init__(self, forward: Callable[..., Any], parties: int) -> None:
        self._forward, self._parties = forward, parties
        self._asked: dict[int, dict[str, Any]] = {}  # by thread
        self._answers: dict[int, torch.Tensor] = {}
        self._changed = threading.Condition()
        self.rows: list[int] = []  # of each call

    def __call__(
        self, sample: torch.Tensor, timestep: Any, encoder_hidden_states: torch.Tensor, **_: Any
    ) -> tuple[torch.Tensor]:
        own = threading.get_ident()
        with self._changed:
            times = torch.as_tensor(timestep, device=sample.device).expand(len(sample))
            self._asked[own] = {"sample": sample, "timestep": times, "text": encoder_hidden_states}
            while own not in self._answers:
                if len(self._asked) == self._parties:
                    self._answer()
                else:
                    self._changed.wait()
            return (self._answers.pop(own),)

    def leave(self) -> None:
        """One fewer is in flight."""
        with self._changed:
            self._parties -= 1
            self._changed.notify_all()

    def _answer(self) -> None:
        asked, self._asked = self._asked, {}
        sample, times, text = (
            torch.cat([one[name] for one in asked.values()]) for name in ("sample", "timestep", "text")
        )
        self.rows.append(len(sample))
        (output,) = self._forward(sample, times, text, return_dict=False)
        counts = [len(one["sample"]) for one in asked.values()]
        self._answers |= dict(zip(asked, output.split(counts), strict=True))
        self._changed.notify_all()


class Pictures:
    """Pictures of unequal steps, made several at a time up to their latents.

    Args:
        pipe: with a UNet, without anything attached.
        steps: of each picture.
        side: pixels.
    """

    def __init__(self, pipe: Any, steps: Sequence[int], side: int) -> None:
        self._pipe, self._steps, self._side = pipe, steps, side
        with torch.no_grad():  # ahead: text encoders are not made for several threads
            texts = pipe.encode_prompt(PROMPT, pipe.device, 1, True)
        self._texts = dict(zip(("prompt_embeds", "negative_prompt_embeds"), texts, strict=True))

    def make(self, in_flight: int) -> list[torch.Tensor]:
        """Their latents, (1, channels, rows, columns) each."""
        waiting: queue.SimpleQueue[int] = queue.SimpleQueue()
        for number in range(len(self._steps)):
            waiting.put(number)
        unet, made = Gathered(self._pipe.unet.forward, in_flight), dict[int, torch.Tensor]()

        def work() -> None:
            own = own_pipeline(self._pipe)
            own.unet.forward = unet
            try:
                with suppress(queue.Empty):
                    while True:
                        number = waiting.get_nowait()
                        made[number] = self._sample(own, number)
            finally:  # or the others would wait for it
                unet.leave()

        threads = [threading.Thread(target=work) for _ in range(in_flight)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return [made[number] for number in range(len(self._steps))]

    def _sample(self, pipe: Any, number: int) -> torch.Tensor:
        noise = torch.Generator().manual_seed(number)
        latents: torch.Tensor = pipe(
            **self._texts, height=self._side, width=self._side, num_inference_steps=self._steps[number],
            generator=noise, output_type="latent",
        ).images  # fmt: skip
        return latents


def main(
    model: Annotated[str, typer.Option(help="With a UNet as Stable Diffusion's.")] = "shapeworld/unet",
    device: Annotated[str, typer.Option(help="cpu, cuda, cuda:1, ...")] = "cpu",
    dtype: Annotated[str, typer.Option(help="bfloat16, float16 or float32.")] = "float32",
    side: Annotated[int, typer.Option(min=64, max=4096, help="Pixels a side.")] = 128,
    steps: Annotated[str, typer.Option(help="Of each picture.")] = "6,8,10,12,14,16,18,20",
    in_flight: Annotated[str, typer.Option(help="Numbers of pictures at a time.")] = "1,2,4",
    turns: Annotated[int, typer.Option(min=1, max=1000, help="Of each number.")] = 2,
    processor: Annotated[
        bool, typer.Option("--processor-time", help="Of one thread, on a CPU that others use too.")
    ] = False,
) -> None:
    """Time pictures of unequal steps by how many are in flight."""
    try:
        where = chosen_device(device)
        check_clock(processor, where)
        counts, lengths = (
            sorted(numbers(in_flight, "--in-flight", "batch")),
            numbers(steps, "--steps", "steps"),
        )
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    pipe: Any = load_pipeline(model, device=device, dtype=dtype)
    pipe.set_progress_bar_config(disable=True)
    pictures = Pictures(pipe, lengths, side)
    alone = pictures.make(1)
    clock: Any = processor_time if processor else Clock(where)
    seconds: dict[int, list[float]] = {count: [] for count in counts}
    for _ in range(turns):
        for count, own in seconds.items():
            own.append(clock(lambda count=count: pictures.make(count)).seconds)
    least = {count: min(own) for count, own in seconds.items()}
    typer.echo(
        "| in flight | ms a picture and step | gain | largest difference of latents |\n|---|---|---|---|"
    )
    for count, own in least.items():
        apart = max(
            float((one - other).abs().max()) for one, other in zip(alone, pictures.make(count), strict=True)
        )
        each, gain = 1000 * own / sum(lengths), least[min(least)] / own
        typer.echo(f"| {count} | {each:.3g} | {gain:.2f}x | {apart:.1e} |")
    told = about(where, pipe.dtype)
    mean = statistics.mean(lengths)
    typer.echo(
        f"\n{model}, {side} pixels a side, {len(lengths)} pictures of {mean:g} steps in the mean; {told}"
    )


if __name__ == "__main__":
    typer.run(main)
