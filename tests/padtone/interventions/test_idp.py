"""IDP: the recipient reads the donor's rows, and nothing else is touched."""

import pytest
import torch

import padtone
from padtone.families.registry import family_of
from padtone.hooks.denoiser import StepCounter, arguments_of
from padtone.hooks.swapping import Patch, overwrite_rows
from padtone.interventions.ite import generators, pipe_arguments
from tests.tiny import swapping_checks as checks
from tests.tiny import text_pipelines
from tests.tiny.family_calls import FAST, PROMPT, call
from tests.tiny.swapping_checks import Spy, texts


@pytest.mark.parametrize("name", FAST)
def test_bit_by_bit(tiny, name):
    checks.full_onto_full_is_the_plain_batch_bit_by_bit(tiny(name), name)
    checks.keeping_nothing_is_the_plain_batch_bit_by_bit(tiny(name), name)


@pytest.mark.parametrize("name", FAST)
def test_all_rows_make_the_donors_image(tiny, name):
    checks.all_rows_make_the_donors_image(tiny(name), name)


@pytest.mark.parametrize("name", FAST)
def test_recipient_reads_the_donors_rows_at_every_block(tiny, name):
    checks.recipient_reads_the_donors_rows_at_every_block(tiny(name), name)


@pytest.mark.parametrize("name", ["flux", "sd3", "lumina2"])
def test_planted_vector_is_found(tiny, name):
    checks.planted_vector_is_found(tiny(name), name)


@pytest.mark.parametrize(
    ("name", "clean"),
    [
        ("flux", "padding"),
        ("flux", "empty_prompt"),
        ("flux_clip", "padding"),
        ("flux_clip", "empty_prompt"),
        ("qwen_image", "padding"),
    ],
)
def test_a_negative_prompt_in_a_call_of_its_own_is_left_alone(tiny, name, clean):
    """True guidance calls the denoiser twice a step: only the prompts' call is patched.

    With an empty negative prompt, so that under clean="empty_prompt" it is the recipient's own text.
    """
    pipe, inputs = tiny(name), []

    def see(module, args, kwargs):
        inputs.append(arguments_of(module, args, kwargs)["encoder_hidden_states"].clone())

    hooks = [
        block.register_forward_pre_hook(see, with_kwargs=True)
        for block in pipe.transformer.transformer_blocks
    ]
    more = call(name, negative_prompt="", true_cfg_scale=3.0, num_inference_steps=1)
    try:
        patched_images = padtone.idp_arms(pipe, PROMPT, [0], ("full",), clean=clean, **more)
        plain = padtone.ite(pipe, PROMPT, [0], ("full", "clean"), clean=clean, **more)
    finally:
        for hook in hooks:
            hook.remove()
    # Two runs of one step: the prompts at two blocks, then the negative prompt at two blocks.
    assert len(inputs) == 8
    for patched_text, plain_text in zip(inputs[2:4], inputs[6:8], strict=True):
        assert torch.equal(patched_text, plain_text)
    assert abs(patched_images["full"][0] - plain["full"][0]).max() < 1e-5
    assert abs(patched_images["full"][0] - plain["clean"][0]).max() > 1e-3


def test_layers_and_steps(tiny):
    """Only these blocks, only in this part of the run."""
    pipe = tiny("flux")
    encoded = texts(pipe, "flux")
    rows = torch.ones(1, 24, dtype=torch.bool)
    patch = Patch(rows, frozenset({1, 3}), (0.25, 0.75))
    with overwrite_rows(pipe, encoded["prompt_embeds"], patch), Spy(pipe, encoded) as spy:
        arguments = pipe_arguments(pipe, encoded, 2, call("flux", num_inference_steps=4))
        pipe(**arguments, generator=generators(0, 2))
    same = [[torch.equal(donor, recipient) for donor, recipient in step] for step in spy.seen]
    off, on = [False] * 4, [False, True, False, True]
    assert same == [off, on, on, off]


def test_steps_is_another_name_of_span(tiny):
    half, same, all_of_it = (
        padtone.idp(tiny("flux"), PROMPT, [0], "padding", **more, **call("flux"))[0]
        for more in ({"span": (0.0, 0.5)}, {"steps": (0.0, 0.5)}, {})
    )
    assert (half == same).all()
    assert abs(half - all_of_it).max() > 1e-3


def test_layers_of_cross_attention(tiny):
    pipe = tiny("sd1")
    images = [
        padtone.idp(pipe, PROMPT, [0], "full", layers=layers, **call("sd1"))[0]
        for layers in (None, [0], [0, 1, 2, 3], range(4))
    ]
    donor = padtone.ite(pipe, PROMPT, [0], ("full",), **call("sd1"))["full"][0]
    assert abs(images[0] - donor).max() < 1e-5
    assert abs(images[1] - donor).max() > 1e-3
    assert (images[0] == images[2]).all()
    assert (images[0] == images[3]).all()


@pytest.mark.parametrize("name", ["sd1", "sdxl", "pixart_alpha", "sana"])
def test_cross_attention_idp_is_ite(tiny, name):
    """Where the denoiser never changes the text, patching every block is swapping the encoding."""
    pipe = tiny(name)
    keep = ("prompt", "eos") if name.startswith("sd") else ("prompt",)
    arms = ("prompt", "bos") if name in ("sd1", "sana") else keep
    patched_images = padtone.idp_arms(pipe, PROMPT, [0], arms, **call(name))
    swapped = padtone.ite(pipe, PROMPT, [0], arms, **call(name))
    assert all(abs(patched_images[arm][0] - swapped[arm][0]).max() < 1e-5 for arm in arms)


def test_arms_share_a_donor(tiny):
    """Each arm is what it is alone."""
    pipe = tiny("flux")
    arms = ("prompt", "padding", "padding 1/5", slice(0, 2))
    together = padtone.idp_arms(pipe, PROMPT, [0, 1], arms, **call("flux"))
    for arm in arms:
        alone = padtone.idp(pipe, PROMPT, [1], arm, **call("flux"))
        key = arm if isinstance(arm, str) else str(arm)
        assert abs(alone[0] - together[key][1]).max() < 1e-4


def test_pooled(tiny):
    """The donor keeps its pooled vector; the recipient's is chosen."""
    pipe = tiny("flux")
    full, clean = (
        padtone.idp_arms(pipe, PROMPT, [0], ("clean",), pooled=p, **call("flux")) for p in ("full", "clean")
    )
    assert abs(full["donor"][0] - clean["donor"][0]).max() < 1e-6
    assert abs(full["clean"][0] - clean["clean"][0]).max() > 1e-3


@pytest.mark.parametrize("name", ["sd1", "flux"])
def test_restored_after_an_exception(tiny, name, monkeypatch):
    """The fixture looks for what was left behind."""
    pipe = tiny(name)
    before = text_pipelines.run(pipe, name, PROMPT)

    def fail(*args, **kwargs):
        raise OSError("no memory")

    with monkeypatch.context() as patch:
        patch.setattr(type(pipe.scheduler), "step", fail)
        with pytest.raises(OSError, match="no memory"):
            padtone.idp(pipe, PROMPT, [0], "padding", **call(name))
    assert torch.equal(text_pipelines.run(pipe, name, PROMPT), before)


def test_steps_are_counted_by_timesteps(tiny):
    """Two calls at one timestep (guidance) are one step; Heun's repeated timesteps are one too."""
    pipe = tiny("sd1")
    pipe.scheduler.set_timesteps(4)
    counter = StepCounter(pipe)
    places = [counter.see({"timestep": t}) for t in pipe.scheduler.timesteps for _ in range(2)]
    assert places == [0.0, 0.0, 0.25, 0.25, 0.5, 0.5, 0.75, 0.75]


def test_texts_that_never_arrive(tiny):
    pipe = tiny("sd1")
    block = overwrite_rows(pipe, torch.zeros(2, 77, 16), Patch(torch.ones(1, 77, dtype=torch.bool)))
    with pytest.raises(RuntimeError, match="never gave its denoiser the texts"):
        _run_inside(block, pipe)


def _run_inside(block, pipe):
    with block:
        text_pipelines.run(pipe, "sd1", PROMPT)


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("flux", {"layers": [4]}, r"layers is \[4\]; this denoiser's blocks go from 0 to 3"),
        ("flux", {"layers": []}, r"layers is \[\]"),
        ("sd1", {"layers": [-1]}, "go from 0 to 3"),
        ("flux", {"steps": (0.5, 0.5)}, r"steps is \(0.5, 0.5\)"),
        ("flux", {"steps": (0.0, 1.5)}, "0 <= start < stop <= 1"),
        ("flux", {"span": (0.5, 0.5)}, r"span is \(0.5, 0.5\); it is \(start, stop\)"),
        ("flux", {"span": (0.0, 1.0), "steps": (0.0, 1.0)}, "steps is another name of span, so give one"),
        ("flux", {"keep": "padding 6/5"}, "goes from 1 to 5"),
        ("flux", {"clean": "zeros"}, "clean is 'zeros'"),
        ("lumina2", {"keep": "padding"}, "names only padding, which the Lumina 2 denoiser masks"),
        ("z_image", {"keep": "padding"}, "Z-Image hands the denoiser no padding"),
    ],
)
def test_bad_input(tiny, name, arguments, message):
    with pytest.raises(ValueError, match=message):
        padtone.idp(tiny(name), PROMPT, [0], **arguments, **call(name))


def test_unknown_transformer(tiny, monkeypatch):
    """A pipeline whose transformer has other blocks, one registered wrongly, and one that nobody registered."""
    from diffusers import DDPMPipeline, DDPMScheduler, FluxPipeline

    class Own(FluxPipeline):
        pass

    other = Own(**tiny("flux").components | {"transformer": tiny("sd1").unet})
    call = {"num_inference_steps": 1}
    with pytest.raises(ValueError, match="UNet2DConditionModel has no blocks named 'transformer_blocks'"):
        padtone.idp(other, PROMPT, [0], **call)
    monkeypatch.setattr("padtone.families.registry._REGISTERED", {"Own": family_of(tiny("sd1"))})
    with pytest.raises(
        ValueError, match="Own has no 'unet', where Stable Diffusion 1 and 2 has its denoiser"
    ):
        padtone.idp(other, PROMPT, [0], **call)
    unknown = DDPMPipeline(unet=tiny("sd1").unet, scheduler=DDPMScheduler())
    with pytest.raises(ValueError, match="DDPMPipeline is not a pipeline that padtone knows"):
        padtone.idp(unknown, PROMPT, [0])
