"""Under offloading and casting: the same images, and everything as before at the end of every `with`.

Without an accelerator the weights go from the CPU to the CPU, but by the very hooks of accelerate and
diffusers: they replace `forward`, put weights on the meta device between calls, and are taken off and put
on again at the end of every call of the pipeline.
"""

import pytest
import torch
from accelerate import cpu_offload

import padtone
from padtone.families.registry import family_of
from tests.tiny import text_pipelines

PROMPT = "a red cat"
CPU = torch.device("cpu")


def model_offload(pipe):
    pipe.enable_model_cpu_offload(device=CPU)


def sequential_offload(pipe):
    """`enable_sequential_cpu_offload` but for the buffers, which accelerate cannot offload onto a CPU."""
    for part in pipe.components.values():
        if isinstance(part, torch.nn.Module):
            cpu_offload(part, CPU)


def group_offload(pipe):
    pipe.enable_group_offload(onload_device=CPU, offload_device=CPU, offload_type="leaf_level")


def block_offload(pipe):
    pipe.enable_group_offload(
        onload_device=CPU, offload_device=CPU, offload_type="block_level", num_blocks_per_group=1
    )


def layerwise_casting(pipe):
    getattr(pipe, family_of(pipe).denoiser).enable_layerwise_casting(
        storage_dtype=torch.bfloat16, compute_dtype=torch.float32
    )


OFFLOADS = [model_offload, sequential_offload, group_offload, block_offload, layerwise_casting]
BLOCKS = {
    "mask": lambda pipe: padtone.mask_padding(pipe, keep=1),
    "trim": lambda pipe: padtone.trim_padding(pipe, keep=1),
    "replace": lambda pipe: padtone.replace_padding(pipe),
}
CASES = [("sd1", offload) for offload in OFFLOADS] + [("flux", offload) for offload in OFFLOADS]
CASES += [("sdxl", model_offload), ("sd3", model_offload), ("flux_clip", model_offload)]


def state(pipe) -> dict:
    """Every weight, every hook and every replaced `forward`, by name."""
    found: dict = {"encode_prompt": "encode_prompt" in vars(pipe)}
    for name, part in pipe.components.items():
        if not isinstance(part, torch.nn.Module):
            continue
        for key, weight in part.state_dict().items():
            found[f"{name}.{key}"] = weight.shape if weight.is_meta else weight.clone()
        for key, module in part.named_modules():
            # transformers puts some hooks of its own on an encoder's first use, for as long as that lasts.
            hooks = [*module._forward_pre_hooks.values(), *module._forward_hooks.values()]
            ours = sum(hook.__module__.startswith("padtone") for hook in hooks)
            found[f"{name}.{key} hooks"] = (
                ours,
                "forward" in vars(module),
                type(vars(module).get("_hf_hook")),
            )
    return found


def same(one: dict, other: dict) -> bool:
    return one.keys() == other.keys() and all(
        torch.equal(value, other[key]) if torch.is_tensor(value) else value == other[key]
        for key, value in one.items()
    )


def arms(pipe, name):
    call = {"output_type": "np"} | text_pipelines.SIZE | text_pipelines.CALL[name]
    images = padtone.ite(pipe, PROMPT, [0], ("full", "padding"), **call)
    return images | {"idp": padtone.idp(pipe, PROMPT, [0], "full", **call)}


def fail(*args, **kwargs):
    raise OSError("no memory")


def _fail_within(block, pipe, name):
    with block:
        text_pipelines.run(pipe, name, PROMPT)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "offload"), CASES, ids=lambda x: getattr(x, "__name__", x))
def test_the_same_images_and_everything_restored(name, offload, monkeypatch):
    pipe, free = text_pipelines.fresh(name), text_pipelines.fresh(name)
    tolerance = 0.02 if offload is layerwise_casting else 1e-5  # the weights themselves are rounded
    offload(pipe)
    stock = text_pipelines.run(pipe, name, PROMPT)  # transformers and diffusers settle on the first use
    before = state(pipe)
    for block in BLOCKS.values():
        with block(free):
            expected = text_pipelines.run(free, name, PROMPT)
        with block(pipe):
            first, second = (text_pipelines.run(pipe, name, PROMPT) for _ in range(2))
        assert (first - expected).abs().max() < tolerance
        assert torch.equal(first, second)  # also after the call's end has put its hooks on anew
        assert same(state(pipe), before)
    expected, made = arms(free, name), arms(pipe, name)
    assert all(abs(made[key][0] - expected[key][0]).max() < tolerance for key in made)
    assert same(state(pipe), before)
    for block in BLOCKS.values():
        with monkeypatch.context() as patch:
            patch.setattr(type(pipe.scheduler), "step", fail)
            with pytest.raises(OSError, match="no memory"):
                _fail_within(block(pipe), pipe, name)
    with monkeypatch.context() as patch:
        patch.setattr(type(pipe.scheduler), "step", fail)
        with pytest.raises(OSError, match="no memory"):
            arms(pipe, name)
    assert torch.equal(text_pipelines.run(pipe, name, PROMPT), stock)
    assert same(state(pipe), before)
    assert not torch.overrides._get_current_function_mode_stack()


@pytest.mark.parametrize("offload", [model_offload, group_offload])
def test_offloading_begun_inside_a_block(offload):
    """Hooks that come later do not undo ours, nor ours them."""
    pipe, other = text_pipelines.fresh("flux"), text_pipelines.fresh("flux")
    with padtone.trim_padding(pipe):
        inside = text_pipelines.run(pipe, "flux", PROMPT)
        offload(pipe)
        assert (text_pipelines.run(pipe, "flux", PROMPT) - inside).abs().max() < 1e-5
    offload(other)
    stock = text_pipelines.run(other, "flux", PROMPT)
    assert torch.equal(text_pipelines.run(pipe, "flux", PROMPT), stock)
    assert same(state(pipe), state(other))


def test_attention_under_model_offload():
    pipe, free = text_pipelines.fresh("flux"), text_pipelines.fresh("flux")
    model_offload(pipe)
    call = {"output_type": "latent"} | text_pipelines.SIZE | text_pipelines.CALL["flux"]
    tables = [padtone.attention_to_padding(p, PROMPT, **call).table() for p in (pipe, free)]
    assert torch.allclose(*tables, atol=1e-5)
