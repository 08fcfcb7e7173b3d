"""Padding filled with the prompt again or with commas, as an encoder reads it."""

import copy

import pytest
import torch
from tokenizers import normalizers

import padtone
from padtone.families.registry import family_of
from padtone.hooks.encoder import tokenizer_of
from tests.tiny import text_pipelines
from tests.tiny.denoiser_calls import call_of

PROMPT, OTHER = "a red cat", "a large green dog sitting under a big old tree"


@pytest.fixture
def commas(monkeypatch):
    """Let a tiny pipeline's tokenizers read a comma as a word that they know."""

    def known(pipe):
        for encoder in family_of(pipe).encoders:
            tokenizer = copy.deepcopy(getattr(pipe, encoder.tokenizer))
            backend = tokenizer.backend_tokenizer
            backend.normalizer = normalizers.Sequence([backend.normalizer, normalizers.Replace(",", "and")])
            monkeypatch.setattr(pipe, encoder.tokenizer, tokenizer)
        return pipe

    return known


def read_ids(pipe, name, prompt, fill):
    """What the last encoder reads, its padding filled by hand: (ids, mask, which rows are padding)."""
    encoder = family_of(pipe).encoders[-1]
    tokenizer = tokenizer_of(pipe, encoder)
    (roles,) = (
        e
        for e in padtone.token_roles(pipe, prompt, **text_pipelines.text_options(name))
        if e.name == encoder.name
    )
    ids = torch.tensor(roles.ids)
    padding = torch.tensor([role == "padding" for role in roles.roles])
    words = [i for i, role in zip(roles.ids, roles.roles, strict=True) if role == "prompt"]
    if fill == "commas":
        words = tokenizer(",", add_special_tokens=False).input_ids
    ids[padding] = torch.tensor((words * len(ids))[: int(padding.sum())])
    return getattr(pipe, encoder.name), ids, padding


@pytest.mark.parametrize("fill", ["repeat", "commas"])
@pytest.mark.parametrize("name", ["sd1", "sd2", "flux"])
def test_the_padding_becomes_what_the_encoder_makes_of_the_words(tiny, commas, name, fill):
    pipe = commas(tiny(name))
    stock = call_of(pipe, name, PROMPT).text
    with padtone.replace_padding(pipe, filling=fill):
        filled = call_of(pipe, name, PROMPT).text
    encoder, ids, padding = read_ids(pipe, name, PROMPT, fill)
    with torch.no_grad():
        by_hand = encoder(ids[None])[0]
    assert padding.sum() > 5
    assert torch.equal(filled[:, ~padding], stock[:, ~padding])
    assert (filled[:, padding] - by_hand[:, padding]).abs().max() < 1e-6
    assert (filled[:, padding] - stock[:, padding]).abs().max() > 1e-3
    assert torch.equal(call_of(pipe, name, PROMPT).text, stock)


def test_a_masked_encoder_may_read_what_fills_the_padding(tiny, commas):
    """FLUX.2's encoder is masked and its denoiser is not: under the mask its filled rows would still be padding's."""
    pipe = commas(tiny("flux2"))
    with padtone.replace_padding(pipe, filling="repeat"):
        one = call_of(pipe, "flux2", PROMPT).text
    with padtone.replace_padding(pipe, filling="commas"):
        other = call_of(pipe, "flux2", PROMPT).text
    with padtone.replace_padding(pipe):
        clean = call_of(pipe, "flux2", PROMPT).text
    roles = padtone.token_roles(pipe, PROMPT, **text_pipelines.text_options("flux2"))[0].roles
    padding = torch.tensor([role == "padding" for role in roles])
    for a, b in ((one, other), (one, clean), (other, clean)):
        assert torch.equal(a[:, ~padding], b[:, ~padding])
        assert ((a - b)[:, padding].abs().amax(-1) > 1e-4).any()


def test_words_end_before_the_prompt_where_padding_is_at_the_left():
    from padtone.interventions.filling import _enough

    assert _enough([7, 8, 9], [0, 0, 0, 0, 1, 2], [False] * 4 + [True] * 2).tolist() == [9, 7, 8, 9]
    assert _enough([7, 8, 9], [1, 2, 0, 0, 0, 0], [True] * 2 + [False] * 4).tolist() == [7, 8, 9, 7]


@pytest.mark.parametrize("fill", ["repeat", "commas"])
def test_every_member_of_a_batch_has_its_own_words(tiny, commas, fill):
    pipe = commas(tiny("flux"))
    with padtone.replace_padding(pipe, filling=fill):
        batch = text_pipelines.run(pipe, "flux", [PROMPT, OTHER], (0, 1))
        for i, prompt in enumerate((PROMPT, OTHER)):
            single = text_pipelines.run(pipe, "flux", prompt, (i,))
            assert (single[0] - batch[i]).abs().max() < 1e-4


def test_what_cannot_be_filled_is_refused(tiny):
    pipe = tiny("sd1")
    with pytest.raises(ValueError, match="filling is 'dots'; it can be 'repeat' or 'commas'"):
        padtone.replace_padding(pipe, filling="dots").__enter__()
    with pytest.raises(ValueError, match=r"filling is 'repeat' and source is 'a dog'.*give one"):
        padtone.replace_padding(pipe, "a dog", filling="repeat").__enter__()
    stock = text_pipelines.run(pipe, "sd1", PROMPT)
    empty = pytest.raises(ValueError, match="the prompt '' has no token that could be repeated")
    with padtone.replace_padding(pipe, filling="repeat"), empty:
        text_pipelines.run(pipe, "sd1", "")
    assert torch.equal(text_pipelines.run(pipe, "sd1", PROMPT), stock)


def test_a_tokenizer_without_a_comma_is_refused():
    import shapeworld

    pipe = shapeworld.load_pipeline("unet")
    with (
        padtone.replace_padding(pipe, filling="commas"),
        pytest.raises(ValueError, match=r"tokenizer knows no comma: it reads ',' as \['<\|unknown\|>'\]"),
    ):
        pipe("a red circle", num_inference_steps=1, height=32, width=32)
