"""What encoding costs in a batch: encoder calls, prompts a second, bytes a prompt, memory; as it was, and as it is.

Run from the repository's root with `python -m benchmarks.texts` (`--quick` for a short look, which writes nothing).
All of it runs in one process, on the CPU, with one thread; time is processor time, so that a neighbour does not
decide it. "Before" is what commit 8704025 did: each prompt and the negative prompt with it are read by the pipeline's
own `encode_prompt`, and all rows are kept. The encoders are random ones of the true kinds and small widths, within
their true pipelines. Nothing is sampled: in the run of a thousand prompts a black picture stands in for each one.
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import json
import math
import os
import platform
import random
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any
from unittest import mock

import psutil
import torch
import transformers
from safetensors.torch import save

from picturelab.batch.encodings import EncodingCache
from picturelab.hooks.text_encoders import TextsRead, let_go, text_encoders
from picturelab.memory import peak_memory
from picturelab.text_lengths import encoded_as, way_of
from tests.tiny import text_pipelines
from tests.tiny.text_encoders import WORDS

RESULTS = Path(__file__).parent / "results" / "texts.json"
NEGATIVE = "a large old tree on the left of a small dog"
MEDIAN, SPREAD = 28, 0.8  # words of a prompt: log-normal, about the lengths that users write
CPU = torch.device("cpu")
WIDTH, LAYERS = 256, 4

Tensors = dict[str, torch.Tensor]


def prompts(count: int, longest: int) -> list[str]:
    draw, words = random.Random(0), WORDS.split()
    lengths = (
        min(longest, max(3, round(draw.lognormvariate(math.log(MEDIAN), SPREAD)))) for _ in range(count)
    )
    return [" ".join(draw.choices(words, k=length)) for length in lengths]


def t5() -> Any:
    """PixArt-Sigma's pipeline, whose T5 reads 300 tokens under a mask."""
    pipe = text_pipelines.fresh("pixart_sigma")
    config = transformers.T5Config(
        vocab_size=64,
        d_model=WIDTH,
        d_kv=64,
        d_ff=4 * WIDTH,
        num_layers=LAYERS,
        num_heads=4,
        dropout_rate=0.0,
    )
    pipe.text_encoder = transformers.T5EncoderModel(config).eval()
    return pipe


def clip() -> Any:
    """Stable Diffusion's pipeline, whose CLIP reads 77 tokens and hands all of them over."""
    pipe = text_pipelines.fresh("sd1")
    config = transformers.CLIPTextConfig(
        vocab_size=64, hidden_size=WIDTH, intermediate_size=4 * WIDTH, num_hidden_layers=LAYERS, num_attention_heads=4,
        bos_token_id=pipe.tokenizer.bos_token_id, eos_token_id=pipe.tokenizer.eos_token_id,
    )  # fmt: skip
    pipe.text_encoder = transformers.CLIPTextModel(config).eval()
    return pipe


def qwen3() -> Any:
    """Z-Image's pipeline, whose Qwen3 reads 512 tokens, of which the padding is dropped."""
    pipe = text_pipelines.fresh("z_image")
    config = transformers.Qwen3Config(
        vocab_size=64, hidden_size=WIDTH, intermediate_size=4 * WIDTH, num_hidden_layers=LAYERS, num_attention_heads=4,
        num_key_value_heads=2, head_dim=64, pad_token_id=0,
    )  # fmt: skip
    pipe.text_encoder = transformers.Qwen3Model(config).eval()
    return pipe


SHAPES: dict[str, tuple[Callable[[], Any], int]] = {
    "T5": (t5, 250),
    "CLIP": (clip, 70),
    "Qwen3": (qwen3, 400),
}


def encoded(pipe: Any, prompt: str) -> Tensors:
    """A prompt and the negative one, as the pipeline's own `encode_prompt` gives them."""
    with torch.no_grad():
        takes = pipe.encode_prompt.__code__.co_varnames
        usual = {"num_images_per_prompt": 1} if "num_images_per_prompt" in takes else {}
        values = pipe.encode_prompt(
            prompt=prompt, device=CPU, do_classifier_free_guidance=True, negative_prompt=NEGATIVE, **usual
        )
    tensors = [tensor for value in values for tensor in (value if isinstance(value, list) else [value])]
    return {str(i): tensor.contiguous() for i, tensor in enumerate(tensors)}


@contextmanager
def counted(pipe: Any) -> Iterator[dict[str, int]]:
    """Runs of the text encoders' first layers, and tokens that they read."""
    found, handles = {"calls": 0, "tokens": 0}, []

    def look(module: Any, args: Any, output: Any) -> None:
        found["calls"] += 1
        found["tokens"] += args[0].numel()

    for encoder in text_encoders(pipe).values():
        named = dict(encoder.named_modules())
        (table,) = [
            part for name, part in named.items() if name.endswith(("embed_tokens", "token_embedding"))
        ][-1:]
        handles.append(table.register_forward_hook(look))
    yield found
    for handle in handles:
        handle.remove()


def resting() -> int:
    """The process's memory, once it has given back what it can."""
    gc.collect()
    with suppress(AttributeError, OSError):  # of glibc
        ctypes.CDLL(None).malloc_trim(0)
    return psutil.Process().memory_info().rss


def in_sorted_batches(pipe: Any, texts: list[str], at_once: int = 16) -> float:
    """Prompts a second at their true length, sorted, so many at once and padded to their longest, nothing kept."""
    texts = sorted(texts, key=len)
    begin = time.process_time()
    with encoded_as(pipe, way_of(pipe, pad_text=False)), torch.no_grad():
        for start in range(0, len(texts), at_once):
            pipe.encode_prompt(
                prompt=texts[start : start + at_once], device=CPU, do_classifier_free_guidance=False
            )
    return len(texts) / (time.process_time() - begin)


def encoding(pipe: Any, texts: list[str], folder: Path, new: bool) -> dict[str, float]:
    """Texts encoded and kept on disk, as before or as now."""
    cache, read = EncodingCache(folder), TextsRead()
    rested = resting()
    begin, size, held = time.process_time(), 0, list[Tensors]()  # as many as the cache holds in memory
    with counted(pipe) as found, peak_memory(CPU) as peak:
        for prompt in texts:
            if not new:
                held.append(encoded(pipe, prompt))
                size += len(save(held[-1]))
                continue
            with read.remembered(pipe), encoded_as(pipe, way_of(pipe, pad_text=False)):
                cache.put({"prompt": prompt}, encoded(pipe, prompt))
    return found | {
        "prompts_per_second": len(texts) / (time.process_time() - begin),
        "bytes_per_prompt": (cache.written if new else size) / len(texts),
        "peak_bytes": max(0, peak.bytes - rested),  # beside the weights
    }


def weights(pipe: Any) -> int:
    """Bytes of all that a pipeline holds."""
    parts = [part for part in pipe.components.values() if isinstance(part, torch.nn.Module)]
    return sum(weight.nbytes for part in parts for weight in part.parameters())


def shape(name: str, count: int) -> dict[str, Any]:
    """One kind of encoder, before and after, one directly behind the other."""
    build, longest = SHAPES[name]
    pipe, texts = build(), prompts(count, longest)
    encoded(pipe, texts[0])  # what happens once
    with tempfile.TemporaryDirectory() as folder:
        found: dict[str, Any] = {
            word: encoding(pipe, texts, Path(folder) / word, new=word == "after")
            for word in ("before", "after")
        }
    if way_of(pipe, pad_text=False):
        found["true_length"] = {
            "prompts_per_second_one_by_one": in_sorted_batches(pipe, texts, 1),
            "prompts_per_second_in_sorted_batches_of_16": in_sorted_batches(pipe, texts),
        }
    found["before"]["weights_while_sampling"] = weights(pipe)
    let_go(pipe)
    found["after"]["weights_while_sampling"] = weights(pipe)
    return found


def xxl(count: int) -> dict[str, Any]:
    """T5-XXL in half precision, counted: 4.76 billion weights, rows of 4096, 300 tokens, two operations a weight."""
    lengths = [len(text.split()) + 1 for text in prompts(count, 299)]
    rows, parameters, negative = 4096 * 2, 4.76e9, len(NEGATIVE.split()) + 1
    return {
        "before": {
            "calls": 2 * count,
            "tokens": 600 * count,
            "operations_per_prompt": 600 * parameters * 2,
            "bytes_per_prompt": 600 * rows,
            "weights_while_sampling": parameters * 2,
        },
        "after": {
            "calls": count + 1,
            "tokens": sum(lengths) + negative,
            "operations_per_prompt": (sum(lengths) + negative) / count * parameters * 2,
            "bytes_per_prompt": (sum(lengths) + count + 2 * (negative + 1))
            / count
            * rows,  # zeros once a text
            "weights_while_sampling": 0,
        },
    }


def thousand(count: int) -> dict[str, Any]:
    """Prompts with a negative one through `fouriscale batch`; the pictures are black stand-ins."""
    from PIL import Image

    from fouriscale.loading.pipeline import load_pipeline
    from fouriscale.sampling.batch import FouriScaleInstrument
    from fouriscale.sampling.prompts import encode
    from picturelab.batch.instruments import JobPicture
    from picturelab.batch.order import BatchOrder
    from picturelab.batch.run import run

    pipe = load_pipeline("shapeworld/unet", device="cpu")
    words, draw = sorted(word for word in pipe.tokenizer.get_vocab() if word.isalpha()), random.Random(0)
    texts = [" ".join(draw.sample(words, 8)) for _ in range(count)]
    begin, size = time.process_time(), 0
    with counted(pipe) as old:
        for prompt in texts:
            size += len(
                save({k: v.contiguous() for k, v in (encode(pipe, prompt, "green", 4.0) or {}).items()})
            )
    before = old | {"processor_seconds": time.process_time() - begin, "bytes": size, "held": weights(pipe)}

    held, calls, loaded = [], [], FouriScaleInstrument.load

    def paint(self: Any, pipe: Any, jobs: Any, encodings: Any) -> list[JobPicture]:
        assert all(encoding is not None for encoding in encodings)
        held.append(weights(pipe))
        return [JobPicture(Image.new("RGB", (8, 8)), {}) for _ in jobs]

    def load(self: Any, *args: Any) -> Any:
        pipe = loaded(self, *args)
        table = pipe.text_encoder.get_input_embeddings()
        table.register_forward_hook(lambda module, args, output: calls.append(args[0].numel()))
        return pipe

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rows = [
            dict(prompt=text, negative_prompt="green", guidance=4.0, size="64x64", steps=1, seed=i)
            for i, text in enumerate(texts)
        ]
        (folder / "jobs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        order = BatchOrder(
            jobs=folder / "jobs.jsonl",
            out=str(folder / "out"),
            device="cpu",
            threads=1,
            cache=folder / "cache",
        )
        begin = time.process_time()
        with (
            mock.patch.object(FouriScaleInstrument, "paint", paint),
            mock.patch.object(FouriScaleInstrument, "load", load),
        ):
            result = run(order)
        assert result.done == count
        size = sum(path.stat().st_size for path in (folder / "cache").iterdir())
        seconds = time.process_time() - begin
    after = {"calls": len(calls), "tokens": sum(calls), "bytes": size, "held": max(held)}
    return {"before": before, "after": after | {"processor_seconds_of_the_whole_run": seconds}}


def measure(quick: bool) -> dict[str, Any]:
    torch.set_num_threads(1)
    count = 8 if quick else 64
    return {
        "prompts": count,
        "shapes": {name: shape(name, count) for name in SHAPES},
        "t5_xxl_counted": xxl(1000),
        "thousand": thousand(32 if quick else 1000),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} at the end",
        "versions": {name: version(name) for name in ("torch", "diffusers", "transformers")}
        | {"python": platform.python_version()},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="few prompts; writes nothing")
    quick = parser.parse_args().quick
    found = measure(quick)
    text = json.dumps(found, indent=1)
    print(text)
    if not quick:
        RESULTS.write_text(text + "\n")


if __name__ == "__main__":
    main()
