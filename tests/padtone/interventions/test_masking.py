"""Mask, trim, replace: masking trailing padding equals cropping it, in a batch as alone."""

import warnings
from pathlib import Path

import pytest
import torch

import padtone
from padtone.families.registry import family_of
from tests.tiny import padding_checks as checks
from tests.tiny import text_pipelines
from tests.tiny.family_calls import FAST, OTHER, PROMPT

ACTS = checks.ACTS


@pytest.mark.parametrize("keep", [0, 3])
@pytest.mark.parametrize("name", FAST)
def test_masking_equals_cropping_in_the_denoiser(tiny, name, keep):
    checks.masking_equals_cropping(tiny(name), name, keep)


@pytest.mark.parametrize("name", ["flux", "sd3", "aura_flow"])
def test_masking_equals_cropping_in_the_encoder(tiny, name):
    """T5's rows under the mask against T5 on the bare tokens, to 1e-5."""
    pipe = tiny(name)
    encoder = family_of(pipe).encoders[-1]
    module, tokenizer = getattr(pipe, encoder.name), getattr(pipe, encoder.tokenizer)
    bare = module(tokenizer(PROMPT, return_tensors="pt").input_ids)[0]
    with padtone.mask_padding(pipe):
        arguments = padtone.encode(pipe, PROMPT, **text_pipelines.text_options(name))
    rows = arguments["prompt_embeds"][0, -24:]
    assert torch.allclose(rows[: bare.shape[1]], bare[0], atol=1e-5)


@pytest.mark.parametrize("keep", [0, 3])
@pytest.mark.parametrize("name", FAST)
def test_trimming_equals_masking(tiny, name, keep):
    checks.trimming_equals_masking(tiny(name), name, keep)


@pytest.mark.parametrize("name", FAST)
def test_trimming_takes_tokens_out(tiny, name):
    checks.trimming_takes_tokens_out(tiny(name), name)


@pytest.mark.parametrize("act", ACTS)
@pytest.mark.parametrize("name", FAST)
def test_a_batch_gets_what_its_members_get(tiny, name, act):
    checks.a_batch_gets_what_its_members_get(tiny(name), name, act)


@pytest.mark.parametrize("name", FAST)
def test_restored_bit_by_bit(tiny, name):
    checks.restored_bit_by_bit(tiny(name), name)


@pytest.mark.parametrize("name", ["sd1", "flux"])
def test_restored_after_a_failing_attention(tiny, name, monkeypatch):
    """An exception inside an attention module must also leave torch's function mode."""
    pipe = tiny(name)
    module = dict(sd1="unet", flux="transformer")[name]
    part = next(m for n, m in getattr(pipe, module).named_modules() if n.endswith(("attn2", "attn")))

    def fail(*args, **kwargs):
        raise OSError("no memory")

    with monkeypatch.context() as patch, padtone.mask_padding(pipe):
        patch.setattr(part, "processor", fail)
        with pytest.raises(OSError, match="no memory"):
            text_pipelines.run(pipe, name, PROMPT)
    assert not torch.overrides._get_current_function_mode_stack()


@pytest.mark.parametrize("name", ["sd1", "sd3", "flux"])
@pytest.mark.parametrize("act", ACTS)
def test_twice_is_once(tiny, name, act):
    pipe = tiny(name)
    with ACTS[act](pipe, keep=2):
        once = text_pipelines.run(pipe, name, PROMPT)
        with ACTS[act](pipe, keep=2):
            twice = text_pipelines.run(pipe, name, PROMPT)
        again = text_pipelines.run(pipe, name, PROMPT)
    assert torch.equal(once, twice)
    assert torch.equal(once, again)


def test_two_things_at_once(tiny):
    pipe = tiny("sd1")
    with (
        padtone.trim_padding(pipe, keep=2),
        pytest.raises(ValueError, match="padding is trimmed with keep=2 already"),
    ):
        padtone.mask_padding(pipe).__enter__()
    with padtone.replace_padding(pipe), padtone.replace_padding(pipe):
        text_pipelines.run(pipe, "sd1", PROMPT)


@pytest.mark.parametrize("act", ACTS)
@pytest.mark.parametrize(
    ("name", "all_of_it"),
    [("sd1", 75), ("sdxl", 75), ("sd3", 75), ("flux", 75), ("flux_clip", 70), ("cogview4", 14)],
)
def test_keeping_all_padding_is_the_plain_image(tiny, name, all_of_it, act):
    """The empty negative prompt has the most padding."""
    pipe = tiny(name)
    with ACTS[act](pipe, keep=all_of_it):
        kept = text_pipelines.run(pipe, name, PROMPT)
    assert (kept - text_pipelines.run(pipe, name, PROMPT)).abs().max() < 1e-5


@pytest.mark.parametrize("clean", ["padding", "empty_prompt"])
@pytest.mark.parametrize("name", ["sd1", "sdxl", "sd3", "flux"])
def test_replacing_is_the_prompt_arm(tiny, name, clean):
    checks.replacing_is_the_prompt_arm(tiny(name), name, clean)


def test_replacing_by_another_prompt(tiny):
    pipe = tiny("sd1")
    full, other = (padtone.encode(pipe, prompt)["prompt_embeds"] for prompt in (PROMPT, OTHER))
    kept = checks.visible_rows(pipe, "sd1", 0)[:, None]
    expected = text_pipelines.run(pipe, "sd1", None, prompt_embeds=torch.where(kept, full, other))
    with padtone.replace_padding(pipe, OTHER):
        assert (text_pipelines.run(pipe, "sd1", PROMPT) - expected).abs().max() < 1e-6


@pytest.mark.parametrize("name", ["sd1", "sd3", "flux"])
def test_replacing_in_a_batch(tiny, name):
    pipe = tiny(name)
    with padtone.replace_padding(pipe):
        batch = text_pipelines.run(pipe, name, [PROMPT, OTHER], range(4), num_images_per_prompt=2)
        for i, prompt in enumerate((PROMPT, OTHER)):
            single = text_pipelines.run(pipe, name, prompt, (2 * i + 1,))
            assert (single[0] - batch[2 * i + 1]).abs().max() < 1e-4


def test_a_prompt_without_padding_is_left_alone(tiny):
    pipe, prompt = tiny("sd1"), " ".join(["cat"] * 75)
    stock = text_pipelines.run(pipe, "sd1", prompt, guidance_scale=1.0)
    for block in (padtone.mask_padding(pipe), padtone.trim_padding(pipe), padtone.replace_padding(pipe)):
        with block:
            masked = text_pipelines.run(pipe, "sd1", prompt, guidance_scale=1.0)
        assert (masked - stock).abs().max() < 1e-6


def test_sdxl_zero_negative_prompt(tiny):
    """SDXL may take zeros for the missing negative prompt; no encoder made them."""
    pipe = tiny("sdxl")
    pipe.register_to_config(force_zeros_for_empty_prompt=True)
    with padtone.mask_padding(pipe):
        masked = text_pipelines.run(pipe, "sdxl", PROMPT)
    with padtone.trim_padding(pipe):
        trimmed = text_pipelines.run(pipe, "sdxl", PROMPT)
    pipe.register_to_config(force_zeros_for_empty_prompt=False)
    assert (masked - trimmed).abs().max() < 1e-4


def test_embeddings_encoded_inside(tiny):
    pipe = tiny("sd1")
    with padtone.trim_padding(pipe):
        expected = text_pipelines.run(pipe, "sd1", PROMPT)
        embeds, empty = pipe.encode_prompt(PROMPT, "cpu", 1, True)
        for _ in range(2):
            given = text_pipelines.run(pipe, "sd1", None, prompt_embeds=embeds, negative_prompt_embeds=empty)
            assert torch.equal(given, expected)
        assert torch.equal(text_pipelines.run(pipe, "sd1", None, prompt_embeds=embeds), expected)


def test_roles_inside_a_block(tiny):
    """Our own masks must not be taken for the tokenizer's."""
    pipe = tiny("flux")
    before = padtone.token_roles(pipe, PROMPT)
    arms = padtone.encode(pipe, PROMPT, "clean")["prompt_embeds"]
    with padtone.mask_padding(pipe, keep=5):
        assert padtone.token_roles(pipe, PROMPT) == before
        inside = padtone.encode(pipe, PROMPT, "clean")["prompt_embeds"]
    assert inside.shape == arms.shape
    assert torch.isfinite(inside).all()


def test_embeddings_encoded_outside(tiny):
    pipe = tiny("sd1")
    embeds = padtone.encode(pipe, PROMPT)["prompt_embeds"]
    with padtone.mask_padding(pipe), pytest.raises(ValueError, match="encoded outside the with block"):
        text_pipelines.run(pipe, "sd1", None, prompt_embeds=embeds)


@pytest.mark.parametrize(
    ("keep", "message"), [(-1, "keep is -1"), (1.5, "keep is 1.5"), ("all", "keep is 'all'")]
)
@pytest.mark.parametrize("act", ACTS)
def test_bad_keep(tiny, act, keep, message):
    with pytest.raises(ValueError, match=message):
        ACTS[act](tiny("sd1"), keep=keep).__enter__()


def test_keep_beyond_the_length(tiny):
    pipe = tiny("sd1")
    with (
        padtone.mask_padding(pipe, keep=78),
        pytest.raises(ValueError, match="keep is 78, but the text encoders read only 77 tokens"),
    ):
        text_pipelines.run(pipe, "sd1", PROMPT)


def test_remarks_point_at_the_callers_line(tiny):
    """However deep within padtone they arise."""
    pipe, long = tiny("pixart_alpha"), " ".join(["cat"] * 30)
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        with padtone.mask_padding(pipe):
            pass
        with padtone.replace_padding(pipe):
            pass
        padtone.token_roles(pipe, long, max_sequence_length=24)
        padtone.encode(pipe, long, max_sequence_length=24)
    assert [Path(each.filename).name for each in seen] == ["test_masking.py"] * 4


def test_bad_source(tiny):
    with pytest.raises(TypeError, match="source is 3"):
        padtone.replace_padding(tiny("sd1"), 3).__enter__()


def test_attention_that_cannot_be_seen(tiny, monkeypatch):
    """A processor that does not use torch's attention: an error, not a wrong image."""
    pipe = tiny("flux")
    attention = pipe.transformer.transformer_blocks[0].attn

    class Own:
        def __call__(self, attn, hidden_states, encoder_hidden_states=None, *args):
            return hidden_states, encoder_hidden_states

    with monkeypatch.context() as patch, padtone.mask_padding(pipe):
        patch.setattr(attention, "processor", Own())
        with pytest.raises(RuntimeError, match="Own does not use torch's scaled_dot_product_attention"):
            text_pipelines.run(pipe, "flux", PROMPT)


def test_masking_in_half_precision():
    pipe = text_pipelines.BUILDERS["sd1"]().to(torch.bfloat16)
    pipe.set_progress_bar_config(disable=True)
    outputs = []
    for act in (padtone.mask_padding, padtone.trim_padding):
        with act(pipe):
            outputs.append(text_pipelines.run(pipe, "sd1", PROMPT))
    assert torch.isfinite(outputs[0]).all()
    assert (outputs[0] - outputs[1]).abs().max() < 0.05


def test_others_hooks_see_the_trimmed_text(tiny):
    """A hook that builds a mask from the text, put on before, must fit the text that the denoiser gets."""
    pipe = tiny("flux")
    seen = []
    hook = pipe.transformer.register_forward_pre_hook(
        lambda module, args, kwargs: seen.append(kwargs["encoder_hidden_states"].shape[1]), with_kwargs=True
    )
    try:
        with padtone.trim_padding(pipe):
            text_pipelines.run(pipe, "flux", "a red cat")
    finally:
        hook.remove()
    assert set(seen) == {4}  # three words and the end token
