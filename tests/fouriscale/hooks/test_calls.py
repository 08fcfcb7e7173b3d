"""A call's state belongs to the call: turns, threads, training, gradients, inversion, copies, another UNet."""

import copy
import io
import pickle
import threading
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from diffusers import DDIMInverseScheduler, DDIMScheduler, DPMSolverMultistepInverseScheduler
from torch._dynamo.utils import counters
from torch.utils.checkpoint import checkpoint

from fouriscale import apply_fouriscale, fouriscale, remove_fouriscale
from fouriscale.hooks.patch import current_state
from picturelab.remarks import Remark
from tests.fouriscale.hooks.test_patch import traces
from tests.tiny import unet_pipelines as models
from tests.tiny.unet_pipelines import CONFIG, call

OTHER = CONFIG.replace(stop=1.0, anneal=False, third_branch=False)
FAST, LAYERWISE = CONFIG.replace(mode="fast"), CONFIG.replace(mode="layerwise")
RECOMPUTED = r"recomputed in a backward pass.*enable_gradient_checkpointing"
OUTSIDE = "the UNet was called outside StableDiffusionPipeline's own call"


def pipeline(unet=None, **changes):
    return models.pipeline("SD", unet=unet or models.unet("SD"), **changes)


@pytest.fixture(scope="module")
def prompt():
    """Encodings, for text encoders are not made for several threads."""
    generator = torch.Generator().manual_seed(1)
    names = ("prompt_embeds", "negative_prompt_embeds")
    return {name: torch.randn(1, 77, 32, generator=generator) for name in names}


def latents(pipe, **changes):
    return pipe(**call(output_type="latent", **changes)).images


# Turns


def in_turn(*runs):
    """Start each run, and let them take turns step by step: each waits in its callback until the others have."""
    barrier, images = threading.Barrier(len(runs)), {}

    def start(i, run):
        def wait(_pipe, _step, _timestep, tensors):
            barrier.wait(60)
            return tensors

        images[i] = run(wait)

    threads = [threading.Thread(target=start, args=item) for item in enumerate(runs)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [images[i] for i in range(len(runs))]


def test_pipelines_with_a_unet_in_common_take_turns_each_with_settings_of_its_own(prompt):
    unet = models.unet("SD")
    configs = [CONFIG, OTHER, FAST, None]
    pipes = [pipeline(unet) for _ in configs]

    def run(pipe, seed):
        return lambda wait: latents(pipe, seed=seed, callback_on_step_end=wait, **prompt)

    def alone(pipe, config, seed):
        if config is None:
            return latents(pipe, seed=seed, **prompt)
        with fouriscale(pipe, config):
            return latents(pipe, seed=seed, **prompt)

    expected = [alone(pipe, config, i) for i, (pipe, config) in enumerate(zip(pipes, configs, strict=True))]
    before = traces(unet)
    for pipe, config in zip(pipes[:3], configs, strict=False):
        apply_fouriscale(pipe, config)
    with pytest.warns(Remark, match="samples without FouriScale, which is applied to another"):
        found = in_turn(*(run(pipe, i) for i, pipe in enumerate(pipes)))
    assert [torch.equal(*pair) for pair in zip(found, expected, strict=True)] == [True] * 4
    for i in range(2):
        remove_fouriscale(pipes[i])
        assert torch.equal(latents(pipes[i + 1], seed=i + 1, **prompt), expected[i + 1])
    remove_fouriscale(pipes[2])
    assert traces(unet) == before


def test_pipelines_made_from_an_applied_one_follow_it_and_may_have_settings_of_their_own(prompt):
    pipe = pipeline()
    kin = type(pipe).from_pipe(pipe)
    kin.set_progress_bar_config(disable=True)
    apply_fouriscale(pipe, CONFIG)
    expected = latents(pipe, **prompt)
    assert torch.equal(latents(kin, **prompt), expected)
    with fouriscale(kin, OTHER):
        assert not torch.equal(latents(kin, **prompt), expected)
        assert torch.equal(latents(pipe, **prompt), expected)
    assert current_state(kin).config == CONFIG
    remove_fouriscale(kin)
    assert current_state(pipe) is None


def test_a_pipeline_within_anothers_callback_is_a_call_of_its_own(prompt):
    unet = models.unet("SD")
    outer, inner = pipeline(unet), pipeline(unet)
    apply_fouriscale(outer, CONFIG)
    apply_fouriscale(inner, OTHER)
    expected, within = latents(outer, **prompt), []

    def sample(_pipe, _step, _timestep, tensors):
        within.append(latents(inner, steps=2, **prompt))
        return tensors

    assert torch.equal(latents(outer, callback_on_step_end=sample, **prompt), expected)
    assert all(torch.equal(images, latents(inner, steps=2, **prompt)) for images in within)


# Training between pictures


def training_step(unet, rows=2, side=32, timestep=(900, 900)):
    torch.manual_seed(1)
    with torch.no_grad():
        batch = torch.randn(rows, 4, side, side), torch.tensor(timestep[:rows]), torch.randn(rows, 7, 32)
        return unet(batch[0], batch[1], encoder_hidden_states=batch[2]).sample


def broken_off(pipe):
    def fail(*_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pipe(**call(callback_on_step_end=fail))


def broken_off_inside(pipe):
    def fail(*_):
        raise KeyboardInterrupt

    hook = pipe.unet.mid_block.register_forward_pre_hook(fail)
    with pytest.raises(KeyboardInterrupt):
        pipe(**call())
    hook.remove()


@pytest.mark.parametrize(
    "validate", [lambda pipe: None, lambda pipe: pipe(**call()), broken_off, broken_off_inside]
)
def test_outside_of_a_pipelines_call_its_unet_is_refused_beyond_the_training_size(validate):
    pipe = pipeline()
    plain = training_step(pipe.unet, side=16)
    apply_fouriscale(pipe, CONFIG)
    validate(pipe)
    for rows in (2, 1):
        with pytest.raises(ValueError, match=OUTSIDE):
            training_step(pipe.unet, rows)
    assert torch.equal(training_step(pipe.unet, side=16), plain)  # as in training
    refused = []

    def elsewhere():
        with pytest.raises(ValueError, match=OUTSIDE) as error:
            training_step(pipe.unet)
        refused.append(error)

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert refused


def test_a_training_step_in_a_callback_is_not_taken_for_guided_rows():
    pipe = pipeline()
    apply_fouriscale(pipe, CONFIG)

    def train(_pipe, _step, _timestep, tensors):
        training_step(pipe.unet)
        return tensors

    with pytest.raises(
        ValueError, match=r"2 rows that are not the same samples twice.*inside StableDiffusionPip"
    ):
        pipe(**call(callback_on_step_end=train))


def test_rows_of_several_timesteps_are_refused():
    unet, scheduler = models.unet("SD"), models.scheduler()
    apply_fouriscale(unet, CONFIG, scheduler=scheduler, guided=False)
    training_step(unet)
    with pytest.raises(ValueError, match=r"timesteps 900, 100 in one batch: .* rows of one timestep"):
        training_step(unet, timestep=(900, 100))


# Gradients


def gradients(unet, steps, config, guided, enable, elsewhere=False):
    unet.train()
    scheduler = models.scheduler()
    scheduler.set_timesteps(4)
    enable(unet)
    generator = torch.Generator().manual_seed(5)
    sample = torch.randn(1, 4, 32, 32, generator=generator)
    text = torch.randn(2 if guided else 1, 7, 32, generator=generator)
    with fouriscale(unet, config, scheduler=scheduler, guided=guided):
        for t in scheduler.timesteps[:steps]:
            noise = unet(torch.cat([sample] * len(text)), t, encoder_hidden_states=text).sample
            if guided:
                unconditional, conditional = noise.chunk(2)
                noise = unconditional + 2 * (conditional - unconditional)
            sample = scheduler.step(noise, t, sample).prev_sample
        loss = sample.square().mean()
        if elsewhere:
            thread = threading.Thread(target=loss.backward)
            thread.start()
            thread.join()
        else:
            loss.backward()
    return torch.cat([p.grad.flatten() for p in unet.parameters() if p.grad is not None])


@pytest.mark.parametrize(
    ("config", "guided", "elsewhere"),
    [
        (CONFIG, False, False),
        (FAST, True, True),
        (LAYERWISE, True, True),
        (CONFIG.replace(split_rows=True), True, False),
        (FAST.replace(third_branch=True, split_rows=True), True, False),
    ],
)
def test_what_is_recomputed_is_what_its_own_call_did(config, guided, elsewhere):
    config = config.replace(start=0.0, stop=1.0)
    settings = (3, config, guided)
    plain = gradients(models.unet("SD"), *settings, enable=lambda unet: None)
    again = gradients(
        models.unet("SD"), *settings, lambda unet: unet.enable_gradient_checkpointing(), elsewhere
    )
    assert torch.isfinite(plain).all()
    assert (again - plain).norm() <= 1e-5 * plain.norm()


def test_checkpointing_is_put_back():
    unet = models.unet("SD")
    unet.enable_gradient_checkpointing()
    before = [vars(module).get("_gradient_checkpointing_func") for module in unet.modules()]
    gradients(unet, 1, CONFIG, False, lambda unet: None)
    assert [vars(module).get("_gradient_checkpointing_func") for module in unet.modules()] == before


def test_recomputation_that_does_not_tell_its_step_is_refused():
    def by_hand(unet):
        block = unet.mid_block.resnets[0]
        inner = type(block).forward
        block.forward = lambda *args: checkpoint(inner, block, *args, use_reentrant=False)

    with pytest.raises(ValueError, match=RECOMPUTED):
        gradients(models.unet("SD"), 2, CONFIG.replace(start=0.0, stop=1.0), False, by_hand)


def test_recomputation_of_attention_that_does_not_tell_its_step_is_refused():
    """Where all tokens would be looked at again, and nothing would fail."""

    def by_hand(unet):
        block = unet.down_blocks[0].attentions[0].transformer_blocks[0]
        inner = type(block).forward

        def forward(x, **kwargs):
            return checkpoint(lambda x: inner(block, x, **kwargs), x, use_reentrant=True)

        block.forward = forward

    with pytest.raises(ValueError, match=RECOMPUTED):
        gradients(models.unet("SD"), 2, FAST, False, by_hand)


# Inversion


@pytest.mark.parametrize("kind", [DDIMInverseScheduler, DPMSolverMultistepInverseScheduler])
def test_inversion_treats_each_noise_level_as_sampling_does(kind):
    config = CONFIG.replace(start=0.2, stop=0.6)
    pipe = pipeline(scheduler=DDIMScheduler.from_config(models.scheduler().config))
    apply_fouriscale(pipe, config)

    def dilations():
        seen = {}

        def note(_, __, t, tensors):
            seen[int(t)] = current_state(pipe).dilation
            return tensors

        pipe(**call(steps=5, guidance=1.0, output_type="latent", callback_on_step_end=note))
        return [d for _, d in sorted(seen.items())]

    down = dilations()
    pipe.scheduler = kind.from_config(pipe.scheduler.config)
    assert dilations() == down
    assert down[0] == 1 < down[-1]


# Rows apart


def test_others_hooks_run_once_a_call_and_see_all_rows_when_they_are_split():
    pipe, rows = pipeline(), []
    config = CONFIG.replace(split_rows=True)
    before = traces(pipe.unet)
    with fouriscale(pipe, CONFIG):
        together = latents(pipe)
    hooks = [
        pipe.unet.register_forward_pre_hook(lambda _, args: rows.append(len(args[0])), prepend=True),
        pipe.unet.register_forward_hook(lambda _, args, output: rows.append(len(output[0]))),
    ]
    with fouriscale(pipe, config):
        apart = latents(pipe)
    for hook in hooks:
        hook.remove()
    assert rows == [2, 2] * 4
    assert torch.allclose(apart, together, atol=1e-5)
    assert traces(pipe.unet) == before


def test_split_rows_stay_split_under_offload():
    """accelerate takes its hooks off and puts them on again after every image."""
    pipe, rows = pipeline(), []
    pipe.enable_model_cpu_offload(device="cpu")
    hook = pipe.unet.conv_in.register_forward_hook(lambda _, args, __: rows.append(len(args[0])))
    with fouriscale(pipe, CONFIG.replace(split_rows=True)):
        first = latents(pipe)
        once = list(rows)
        rows.clear()
        assert torch.equal(latents(pipe), first)
    hook.remove()
    assert rows == once == [1, 2] * 3 + [2]  # three active steps of four
    assert not any("fouriscale" in str(value) for value in vars(pipe.unet).values())
    pipe.remove_all_hooks()  # its other parts are the session's


def test_a_split_is_taken_off_with_the_settings_that_asked_for_it():
    unet = models.unet("SD")
    one, other = pipeline(unet), pipeline(unet)
    apply_fouriscale(one, CONFIG.replace(split_rows=True))
    apply_fouriscale(other, CONFIG)
    assert "forward" in vars(unet)
    apply_fouriscale(one, CONFIG)
    assert "forward" not in vars(unet)


# Copies


def test_copies_are_refused_in_words():
    pipe = pipeline()
    apply_fouriscale(pipe, CONFIG)
    refused = "call remove_fouriscale before copying or pickling it"
    for thing in (pipe.unet, pipe):
        for save in (pickle.dumps, copy.deepcopy, lambda thing: torch.save(thing, io.BytesIO())):
            with pytest.raises(TypeError, match=refused):
                save(thing)
    remove_fouriscale(pipe)
    assert len(pickle.loads(pickle.dumps(pipe.unet)).state_dict()) == len(pipe.unet.state_dict())


# Another UNet


def test_settings_go_along_when_the_pipeline_gets_another_unet():
    pipe, other = pipeline(), models.unet("SD", seed=4)
    first, before = pipe.unet, traces(pipe.unet)
    begun = vars(pipe).keys() - {"_fouriscale"}
    apply_fouriscale(pipe, CONFIG)
    pipe.unet = other
    moved = latents(pipe)
    assert traces(first) == before
    assert current_state(pipe).unet is other
    remove_fouriscale(pipe)
    with fouriscale(pipeline(other), CONFIG) as fresh:
        assert torch.equal(latents(fresh), moved)
    assert traces(other) == before
    assert "check_inputs" not in vars(pipe)
    assert begun <= vars(pipe).keys()


def test_a_unet_that_the_settings_do_not_fit_is_refused_and_removal_clears_the_first():
    pipe = pipeline()
    first, before = pipe.unet, traces(pipe.unet)
    apply_fouriscale(pipe, CONFIG)
    pipe.unet = models.unet(
        "SD", block_out_channels=(8,), down_block_types=("DownBlock2D",), up_block_types=("UpBlock2D",)
    )
    with pytest.raises(
        ValueError, match=r"layer pattern 'down_blocks\.1\.resnets\.\*' matches no convolution"
    ):
        pipe(**call())
    remove_fouriscale(pipe)
    assert traces(first) == before


# torch.compile


@pytest.mark.slow
@pytest.mark.parametrize(
    "config", [CONFIG, FAST, CONFIG.replace(attention="polyphase", convolution="decimated")]
)
def test_compiled_code_guards_no_object_of_ours_and_is_compiled_once_a_phase(config):
    pipe = pipeline()
    guarded = []
    pipe.unet.compile(
        backend="eager",
        options={"guard_filter_fn": lambda guards: [guarded.append(g) or True for g in guards]},
    )
    apply_fouriscale(pipe, config.replace(anneal=False, stop=0.75))
    graphs = []

    def count(_pipe, _step, _timestep, tensors):
        graphs.append(counters["stats"]["unique_graphs"])
        return tensors

    counters.clear()
    try:
        pipe(**call(callback_on_step_end=count, steps=4))
        assert graphs[0] > 0
        assert graphs[0] == graphs[1] == graphs[2]  # the active phase; the last step is the late one
        assert not counters["graph_break"]
        names = {type(guard.value).__module__.split(".")[0] for guard in guarded if guard.has_value}
        assert "torch" in names or "builtins" in names
        assert "fouriscale" not in names
    finally:
        torch.compiler.reset()


def test_explanations_need_no_pipeline():
    scheduler = SimpleNamespace(timesteps=torch.arange(4, -1, -1))
    with torch.device("meta"):
        unet = models.unet("SD")
    with fouriscale(unet, CONFIG, scheduler=scheduler):
        out = unet(torch.empty(2, 4, 32, 32, device="meta"), 4, torch.empty(2, 7, 32, device="meta"))
    assert out.sample.shape == (2, 4, 32, 32)
    assert np.prod(out.sample.shape) > 0
