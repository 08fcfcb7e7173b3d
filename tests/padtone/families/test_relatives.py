"""Image to image, inpainting and ControlNets: text is what it is in their family's text-to-image pipeline."""

import re
import warnings
from pathlib import Path

import pytest
import torch

import padtone
from padtone.families.registry import check_known, family_of
from padtone.families.relatives import RELATIVES
from picturelab.remarks import Remark
from tests.tiny import picture_pipelines, text_pipelines

PROMPT = "a red cat"
# One of each family in every run of the tests; the others are as fast or slow.
FAST = ("StableDiffusionXLImg2ImgPipeline", "FluxInpaintPipeline", "StableDiffusionControlNetPipeline")


@pytest.fixture(
    scope="module", params=[k if k in FAST else pytest.param(k, marks=pytest.mark.slow) for k in RELATIVES]
)
def begun(request):
    """A pipeline, the arguments of its call, and its plain picture."""
    pipe, call = picture_pipelines.build(request.param)
    return pipe, call, picture(pipe, call)


def picture(pipe, call, prompt=PROMPT, seed=0):
    noise = [torch.Generator().manual_seed(seed)]
    return torch.as_tensor(pipe(prompt=prompt, generator=noise, **call).images)[0]


def difference(one, other) -> float:
    return float((torch.as_tensor(one) - torch.as_tensor(other)).abs().max())


def test_roles(begun):
    pipe, call, _ = begun
    options = {k: v for k, v in call.items() if k in ("max_sequence_length", "text_encoder_out_layers")}
    entries = padtone.token_roles(pipe, PROMPT, **options)
    assert all(entry.count("prompt") == 3 for entry in entries)
    name = picture_pipelines.base_of(type(pipe).__name__)
    assert family_of(pipe) is family_of(text_pipelines.pipeline(name))


def test_arms_start_from_the_same_noise(begun):
    """Every member of a batch draws it as alone, beside what encoding the picture draws."""
    pipe, call, plain = begun
    arms = ("prompt", "full") if family_of(pipe).title in ("Z-Image", "Qwen-Image") else ("clean", "full")
    images = padtone.ite(pipe, PROMPT, [0], arms, **call)
    assert difference(images["full"][0], plain) < 1e-4
    images = padtone.idp_arms(pipe, PROMPT, [0], ("full", "prompt"), **call)
    assert difference(images["donor"][0], plain) < 1e-4
    assert difference(images["full"][0], images["donor"][0]) < 1e-5


def test_masking_trimming_and_replacing(begun):
    pipe, call, plain = begun
    family = family_of(pipe)
    if not family.pads:
        with pytest.raises(ValueError, match="hands the denoiser no padding"):
            padtone.trim_padding(pipe).__enter__()
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Remark)
        with padtone.mask_padding(pipe):
            masked = picture(pipe, call)
        with padtone.replace_padding(pipe):
            replaced = picture(pipe, call)
    with padtone.trim_padding(pipe):
        trimmed = picture(pipe, call)
    assert difference(masked, trimmed) < 1e-4
    arm = padtone.ite(pipe, PROMPT, [0], ("prompt",), **call)["prompt"][0]
    assert difference(arm, replaced) < 1e-4
    if not family.denoiser_masks:
        assert difference(masked, plain) > 1e-3
        assert difference(replaced, plain) > 1e-3
    assert torch.equal(picture(pipe, call), plain)


@pytest.mark.parametrize("kind", FAST)
def test_attention_of_the_steps_that_are_run(kind):
    """Half of four steps, where the picture is halfway; ControlNets alone run them all."""
    pipe, call = picture_pipelines.build(kind)
    shares = padtone.attention_to_padding(pipe, PROMPT, **call | {"num_inference_steps": 4})
    assert shares.layers[0].shape[0] == (2 if "strength" in call else 4)


@pytest.mark.parametrize("kind", FAST)
def test_span_is_of_the_steps_that_are_run(kind):
    """The run's second half alone is no whole run, and not nothing."""
    pipe, call = picture_pipelines.build(kind)
    call |= {"num_inference_steps": 4}
    halves = [
        padtone.idp(pipe, PROMPT, [0], "full", span=span, **call)[0]
        for span in ((0.0, 0.5), (0.5, 1.0), (0.0, 1.0))
    ]
    assert difference(halves[2], picture(pipe, call)) < 1e-4
    assert min(difference(halves[0], halves[2]), difference(halves[1], halves[2])) > 1e-5
    assert difference(halves[0], halves[1]) > 1e-5


def test_a_controlnet_reads_no_padding_either():
    pipe, call = picture_pipelines.build("StableDiffusionXLControlNetPipeline")
    rows = {}
    hooks = []
    with padtone.trim_padding(pipe):
        for part in ("unet", "controlnet"):
            attention = next(m for n, m in getattr(pipe, part).named_modules() if n.endswith("attn2"))
            hooks.append(
                attention.register_forward_pre_hook(
                    lambda module, args, kwargs, part=part: rows.update(
                        {part: kwargs["encoder_hidden_states"].shape[1]}
                    ),
                    with_kwargs=True,
                )
            )
        for guess in (False, True):
            rows.clear()
            picture(pipe, call | {"guess_mode": guess, "num_inference_steps": 1})
            assert rows == {"unet": 5, "controlnet": 5}
    for hook in hooks:
        hook.remove()


def test_commands_want_a_pipeline_that_needs_no_picture():
    with pytest.raises(ValueError, match="is a FluxImg2ImgPipeline, which padtone does not know"):
        check_known("FluxImg2ImgPipeline", "a model")


def test_the_documentation_lists_them():
    page = (Path(__file__).parents[3] / "docs" / "padtone.md").read_text()
    for kind, base in RELATIVES.items():
        assert re.search(rf"^\| as `{base}` \| .*`{kind}`.* \|$", page, re.MULTILINE)
