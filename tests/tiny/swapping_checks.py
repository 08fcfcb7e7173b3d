"""What ITE and IDP must do in every family; each check takes a tiny pipeline and its name."""

from __future__ import annotations

from typing import Any

import torch

import padtone
from padtone.families.family import Family
from padtone.families.registry import denoiser_of, family_of
from padtone.hooks.denoiser import (
    arguments_of,
    attention_modules,
    blocks_of,
    place_in_batch,
    rows_in_blocks,
    rows_of_text,
)
from padtone.hooks.handing_over import drawn
from padtone.hooks.swapping import Patch, overwrite_rows
from padtone.interventions.encoding import row_counts
from padtone.interventions.ite import (
    encode_arms,
    generators,
    pipe_arguments,
    stack_arguments,
)
from padtone.maths.roles import chosen_rows
from tests.tiny import text_pipelines
from tests.tiny.family_calls import PROMPT, UNPADDED, call, negative


def texts(pipe: Any, name: str, arms: tuple = ("full", "clean")) -> dict:
    """Encodings of one prompt, arm by arm, as one batch."""
    encoded = encode_arms(pipe, PROMPT, arms, options=text_pipelines.text_options(name))
    return stack_arguments(encoded, family_of(pipe).layers_first)


def rows_of(pipe: Any, encoded: dict) -> int:
    return sum(row_counts(family_of(pipe), encoded))


def patch_of(pipe: Any, encoded: dict, rows: torch.Tensor, **more: Any) -> Patch:
    """A patch of these rows of the text, (recipients, rows), as the blocks hold them."""
    family = family_of(pipe)
    return Patch(rows_in_blocks(family, rows, row_counts(family, encoded)[0]), **more)


def first_text(pipe: Any, encoded: dict) -> Any:
    return encoded[family_of(pipe).text_names[0]]


def batch(pipe: Any, name: str, encoded: dict, patch: Patch | None = None, **more: object) -> torch.Tensor:
    """Images of a batch of encodings, donor first, from equal noise."""
    count = len(first_text(pipe, encoded))
    arguments = pipe_arguments(pipe, encoded, count, call(name, **more))
    if patch is None:
        return torch.as_tensor(drawn(pipe, arguments, generators(0, count)))
    with overwrite_rows(pipe, first_text(pipe, encoded), patch):
        return torch.as_tensor(drawn(pipe, arguments, generators(0, count)))


def arms_are_made_of_full_and_clean(pipe: Any, name: str) -> None:
    """Row by row, in each tensor of text: the named rows of the prompt's encoding, the others of the clean one."""
    family, options = family_of(pipe), text_pipelines.text_options(name)
    keeps = ("full", "prompt", "clean") if name in UNPADDED else ("full", "prompt", "padding", "clean")
    arms = dict(zip(keeps, encode_arms(pipe, PROMPT, keeps, options=options), strict=True))
    counts = row_counts(family, arms["full"])
    kept = torch.tensor(chosen_rows(padtone.token_roles(pipe, PROMPT, **options), "prompt", sum(counts)))
    for argument, rows in zip(family.text_names, kept.split(counts), strict=True):
        by_arm = {keep: _rows(family, argument, arm[argument]) for keep, arm in arms.items()}
        full, prompt, clean = by_arm["full"], by_arm["prompt"], by_arm["clean"]
        assert not torch.equal(full, clean)
        assert torch.equal(prompt[rows], full[rows])
        assert torch.equal(prompt[~rows], clean[~rows])
        if "padding" in by_arm:
            assert torch.equal(by_arm["padding"][rows], clean[rows])
            assert torch.equal(by_arm["padding"][~rows], full[~rows])


def _rows(family: Family, argument: str, value: Any) -> torch.Tensor:
    """(rows, ...) of an encoding of one prompt."""
    return value.transpose(0, 1)[0].transpose(0, 1) if argument in family.layers_first else value[0]


def clean_does_not_depend_on_the_prompt(pipe: Any, name: str) -> None:
    """On its words, that is; unless an encoder is masked or reads no padding, not on their number either."""
    options = text_pipelines.text_options(name)
    (one,), (two,) = (
        encode_arms(pipe, prompt, ("clean",), pooled="clean", options=options)
        for prompt in (PROMPT, "a green dog")
    )
    assert all(torch.equal(one[key], two[key]) for key in one if torch.is_tensor(one[key]))


def full_is_the_plain_image(pipe: Any, name: str) -> None:
    """Also as one of several arms in a batch, and with a negative prompt where the pipeline takes one."""
    more = negative(pipe, name)
    stock = text_pipelines.run(pipe, name, PROMPT, **more)[0]
    arms = ("prompt", "full") if name in UNPADDED else ("clean", "full", "prompt", "padding")
    images = padtone.ite(pipe, PROMPT, [0], arms, **call(name, **more))
    assert list(images) == list(arms)
    assert (torch.as_tensor(images["full"][0]) - stock).abs().max() < 1e-4
    alone = padtone.ite(pipe, PROMPT, [0], arms[:1], **call(name, **more))
    assert abs(alone[arms[0]][0] - images[arms[0]][0]).max() < 1e-4
    if "clean" in images:
        assert abs(images["clean"][0] - images["full"][0]).max() > 1e-3


def full_onto_full_is_the_plain_batch_bit_by_bit(pipe: Any, name: str) -> None:
    encoded = texts(pipe, name, ("full", "full"))
    everything = patch_of(pipe, encoded, torch.ones(1, rows_of(pipe, encoded), dtype=torch.bool))
    more = negative(pipe, name)
    plain = batch(pipe, name, encoded, **more)
    assert torch.equal(batch(pipe, name, encoded, everything, **more), plain)


def keeping_nothing_is_the_plain_batch_bit_by_bit(pipe: Any, name: str) -> None:
    encoded = texts(pipe, name)
    nothing = patch_of(pipe, encoded, torch.zeros(1, rows_of(pipe, encoded), dtype=torch.bool))
    assert torch.equal(batch(pipe, name, encoded, nothing), batch(pipe, name, encoded))


def all_rows_make_the_donors_image(pipe: Any, name: str) -> None:
    """Every text row is the donor's at every block, so the image is; with a negative prompt as well."""
    more = negative(pipe, name)
    images = padtone.idp_arms(pipe, PROMPT, [0], ("full", "clean"), **call(name, **more))
    assert list(images) == ["donor", "full", "clean"]
    assert abs(images["full"][0] - images["donor"][0]).max() < 1e-5
    assert abs(images["clean"][0] - images["donor"][0]).max() > 1e-3
    plain = padtone.ite(pipe, PROMPT, [0], ("full", "clean"), **call(name, **more))
    assert abs(images["donor"][0] - plain["full"][0]).max() < 1e-5
    assert abs(images["clean"][0] - plain["clean"][0]).max() < 1e-5


class Spy:
    """What every block receives as text, (calls of the denoiser, blocks): the donor's rows and the recipient's."""

    def __init__(self, pipe: Any, encoded: dict) -> None:
        self.pipe, self.family, self.texts = pipe, family_of(pipe), first_text(pipe, encoded)
        rows = torch.ones(1, rows_of(pipe, encoded), dtype=torch.bool)
        self.rows = rows_in_blocks(self.family, rows, row_counts(self.family, encoded)[0]).shape[1]
        self.seen: list[list[torch.Tensor]] = []
        self.place: int | None = None
        self.hooks: list[Any] = []

    def __enter__(self) -> Spy:
        denoiser = denoiser_of(self.pipe, self.family)
        self.hooks.append(denoiser.register_forward_pre_hook(self.enter, with_kwargs=True))
        modules = (blocks_of if self.family.joint else attention_modules)(denoiser, self.family)
        self.hooks += [m.register_forward_pre_hook(self.block, with_kwargs=True) for m in modules]
        return self

    def __exit__(self, *error: object) -> None:
        for hook in self.hooks:
            hook.remove()

    def enter(self, module: torch.nn.Module, args: tuple, kwargs: dict) -> None:
        self.call = arguments_of(module, args, kwargs)
        self.place = place_in_batch(self.call[self.family.text_argument], self.texts)
        if self.place is not None:
            self.seen.append([])

    def text_in(self, given: dict) -> tuple[torch.Tensor, int]:
        """A block's stream that holds the text, batch first, and the text's first row there."""
        family, start = self.family, self.family.offset
        stream = given.get("encoder_hidden_states")
        if stream is None:
            stream = next(iter(given.values()))
            stream = stream.transpose(0, 1) if family.rows_first else stream
            if family.image_rows is not None:
                start = family.image_rows(self.call)
            elif family.attention == "image first":
                start = stream.shape[1] - rows_of_text(family, self.call)
        return stream, start

    def block(self, module: torch.nn.Module, args: tuple, kwargs: dict) -> None:
        if self.place is None:
            return
        stream, start = self.text_in(arguments_of(module, args, kwargs))
        rows = min(self.rows, stream.shape[1] - start)
        self.seen[-1].append(stream[self.place : self.place + len(self.texts), start : start + rows].clone())


def recipient_reads_the_donors_rows_at_every_block(pipe: Any, name: str) -> None:
    """Seen from outside, at each block's input: the kept rows are the donor's, the others its own."""
    encoded = texts(pipe, name)
    rows = torch.zeros(1, rows_of(pipe, encoded), dtype=torch.bool)
    first = 12 if name == "cogview4" else 0  # before that, padding: the same in both, for a causal encoder
    rows[:, first + 1 : first + 3] = True
    patch = patch_of(pipe, encoded, rows)
    with overwrite_rows(pipe, first_text(pipe, encoded), patch), Spy(pipe, encoded) as spy:
        arguments = pipe_arguments(pipe, encoded, 2, call(name, **negative(pipe, name)))
        drawn(pipe, arguments, generators(0, 2))
    assert len(spy.seen) >= 2  # two steps
    for blocks in spy.seen:
        assert len(blocks) >= 2
        for donor, recipient in blocks:
            kept = patch.rows[0, : len(donor)]
            assert torch.equal(recipient[kept], donor[kept])
            assert not torch.equal(recipient[~kept][first:], donor[~kept][first:])


def planted_vector_is_found(pipe: Any, name: str) -> None:
    """A vector planted in the donor's row at one block shows in the recipient's row of that block only."""
    encoded = texts(pipe, name)
    rows = torch.zeros(1, rows_of(pipe, encoded), dtype=torch.bool)
    rows[0, 2] = True
    blocks, place = blocks_of(denoiser_of(pipe, family_of(pipe)), family_of(pipe)), 1

    def plant(module: torch.nn.Module, args: tuple, kwargs: dict) -> None:
        if spy.place is None:  # the negative prompt's own call
            return
        stream, start = spy.text_in(arguments_of(module, args, kwargs))
        stream[spy.place, start + 2] = 7.0
        stream[spy.place, start + 3] = 9.0  # beside the kept row: must not be copied

    hook = blocks[place].register_forward_pre_hook(plant, with_kwargs=True)
    try:
        patch = patch_of(pipe, encoded, rows)
        with overwrite_rows(pipe, first_text(pipe, encoded), patch), Spy(pipe, encoded) as spy:
            drawn(pipe, pipe_arguments(pipe, encoded, 2, call(name)), generators(0, 2))
    finally:
        hook.remove()
    for blocks_seen in spy.seen:
        before, (donor, recipient) = blocks_seen[0], blocks_seen[place]
        assert (donor[2] == 7.0).all()
        assert (recipient[2] == 7.0).all()
        assert (donor[3] == 9.0).all()
        assert not (recipient[3] == 9.0).any()
        assert not (before[1][2] == 7.0).any()
