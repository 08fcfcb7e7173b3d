"""Each row that the denoiser is given goes by the padding of the text that it was, whatever else there is."""

import functools
import threading

import pytest
import torch

import padtone
from padtone.families.registry import family_of
from padtone.hooks.hiding import hide_padding
from padtone.hooks.in_flight import InFlight
from padtone.hooks.swapping import Patch, overwrite_rows
from padtone.hooks.texts import Batch, Member, RunTexts, Text, TextMemory
from padtone.interventions.ite import encode_arms, generators, pipe_arguments, stack_arguments
from tests.tiny import text_pipelines

PROMPT, OTHER = "a red cat", "a big green dog under the tree"  # 3 and 7 words
CALL = text_pipelines.SIZE


def read(pipe, name="attn2"):
    """What the first attention to text reads: (rows, bias or None) a call."""
    seen = []
    part = next(m for n, m in pipe.unet.named_modules() if n.endswith(name))

    def look(module, args, kwargs):
        seen.append((kwargs["encoder_hidden_states"].shape[1], kwargs.get("attention_mask")))

    return seen, part.register_forward_pre_hook(look, with_kwargs=True)


def seen_rows(pipe, *prompts, act=None, **call) -> list:
    """Per call of the denoiser, how many rows each member sees."""
    seen, hook = read(pipe)
    try:
        for prompt in prompts:
            pipe(prompt, **{"output_type": "latent", "num_inference_steps": 1} | CALL | call)
    finally:
        hook.remove()
    return [[rows] if bias is None else (bias == 0).sum(-1).flatten().tolist() for rows, bias in seen]


@pytest.fixture
def blind():
    """Stable Diffusion whose encoder gives every text the same rows."""
    pipe = text_pipelines.fresh("sd1")
    next(m for n, m in pipe.text_encoder.named_modules() if n.endswith("final_layer_norm")).weight.zero_()
    return pipe


def test_equal_rows_of_different_texts(blind):
    """Prompt and negative prompt, one run after the other, and a batch: none can be told by its values."""
    with padtone.mask_padding(blind):
        runs = seen_rows(blind, PROMPT, OTHER, negative_prompt="a small square", guidance_scale=5.0)
        assert runs == [[5, 5], [5, 9]]
        assert seen_rows(blind, OTHER, PROMPT, guidance_scale=1.0) == [[9], [5]]
        (batch,) = seen_rows(blind, [PROMPT, OTHER], guidance_scale=1.0)
        assert batch == [5, 9]


def _spoil(module, args, output):
    """Every text gets the same rows, whatever its encoder and mask."""
    for value in output.values():
        for rows in value if isinstance(value, tuple) else [value]:
            if torch.is_tensor(rows) and rows.is_floating_point():
                rows.fill_(0.5)


def _rows_of_run(pipe, name, monkeypatch, **call):
    """Which rows each call of the denoiser was let see."""
    seen = []
    settle = InFlight.settle
    with monkeypatch.context() as patch:
        patch.setattr(
            InFlight, "settle", lambda self, state: seen.append(state.rows.tolist()) or settle(self, state)
        )
        with padtone.trim_padding(pipe):
            text_pipelines.run(pipe, name, PROMPT, num_inference_steps=1, **call)
    return seen


@pytest.mark.parametrize("name", [n for n in text_pipelines.BUILDERS if n not in ("z_image", "flux2")])
def test_equal_rows_in_every_family(name, monkeypatch, tiny):
    """Told by where the pipeline puts them: the negative prompts first, or in a call of their own."""
    pipe = tiny(name)
    call = {} if name == "flux2_klein" else {"negative_prompt": OTHER}
    if name in ("flux", "flux_clip", "qwen_image"):
        call["true_cfg_scale"] = 3.0
    expected = _rows_of_run(pipe, name, monkeypatch, **call)
    assert expected
    hooks = [
        module.register_forward_hook(_spoil)
        for module in (getattr(pipe, encoder.name) for encoder in family_of(pipe).encoders)
    ]
    try:
        assert _rows_of_run(pipe, name, monkeypatch, **call) == expected
    finally:
        for hook in hooks:
            hook.remove()


@pytest.mark.parametrize("act", [padtone.mask_padding, padtone.trim_padding])
def test_equal_rows_that_the_caller_encoded(blind, act):
    with act(blind):
        one, other = (blind.encode_prompt(text, "cpu", 1, False)[0] for text in (PROMPT, OTHER))
        for embeds, rows in ((one, 5), (other, 9), (one, 5)):
            given = {"prompt_embeds": embeds, "guidance_scale": 1.0}
            assert seen_rows(blind, None, **given) == [[rows]]


def test_equal_rows_without_their_origin(blind):
    """A copy of rows that two texts have: one sentence, no guess; not where both have the same padding."""
    with padtone.trim_padding(blind):
        one = blind.encode_prompt(PROMPT, "cpu", 1, False)[0]
        blind.encode_prompt("a green dog", "cpu", 1, False)
        given = {"prompt_embeds": one.clone(), "guidance_scale": 1.0}
        assert seen_rows(blind, None, **given) == [[5]]
        blind.encode_prompt(OTHER, "cpu", 1, False)
        with pytest.raises(ValueError, match="may be either of two with different padding"):
            seen_rows(blind, None, **given)
        assert seen_rows(blind, None, prompt_embeds=one, guidance_scale=1.0) == [[5]]


@pytest.mark.parametrize(
    "change",
    [
        torch.clone,
        lambda rows: rows.half().float(),
        lambda rows: rows.bfloat16(),
        lambda rows: rows.repeat(1, 1, 1),
        lambda rows: rows.expand(2, -1, -1)[1:],
    ],
    ids=["clone", "half", "bfloat16", "repeat", "expand"],
)
def test_encodings_that_the_caller_copies_or_casts(tiny, change):
    pipe = tiny("sd1")
    with padtone.trim_padding(pipe):
        rows, empty = pipe.encode_prompt(OTHER, "cpu", 1, True, "green")
        given = {"prompt_embeds": change(rows), "negative_prompt_embeds": change(empty)}
        assert seen_rows(pipe, None, **given) == [[3, 9]]


def test_encodings_that_were_written_over(tiny):
    """Another text in the very same tensor goes by its own padding, and what nobody encoded is refused."""
    pipe = tiny("sd1")
    with padtone.trim_padding(pipe):
        buffer = pipe.encode_prompt(PROMPT, "cpu", 1, False)[0]
        assert seen_rows(pipe, None, prompt_embeds=buffer, guidance_scale=1.0) == [[5]]
        other = pipe.encode_prompt(OTHER, "cpu", 1, False)[0]
        buffer.copy_(other)
        assert seen_rows(pipe, None, prompt_embeds=buffer, guidance_scale=1.0) == [[9]]
        buffer.mul_(2)
        with pytest.raises(ValueError, match="written over since"):
            seen_rows(pipe, None, prompt_embeds=buffer, guidance_scale=1.0)


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_encodings_that_a_callback_writes_over(tiny, mode):
    """The denoiser is given the same object at the next step, and it is another text."""
    pipe = tiny("sd1")
    with padtone.mask_padding(pipe), mode():
        rows = pipe.encode_prompt(PROMPT, "cpu", 1, False)[0]
        other = pipe.encode_prompt(OTHER, "cpu", 1, False)[0]

        def write(_pipe, step, _timestep, tensors):
            if step == 0:
                tensors["prompt_embeds"].copy_(other)
            return tensors

        call = {"callback_on_step_end": write, "callback_on_step_end_tensor_inputs": ["prompt_embeds"]}
        more = {"num_inference_steps": 3, "guidance_scale": 1.0, "prompt_embeds": rows}
        assert seen_rows(pipe, None, **call, **more) == [[5], [9], [9]]


@pytest.mark.parametrize("written", ["rows", "behind"])
def test_a_batch_that_is_written_over_is_traced_anew(written):
    """Of two encoders' rows, too: HunyuanDiT's second has a tensor of its own."""
    memory, run = TextMemory("Tiny", alike=False), RunTexts()
    generator = torch.Generator().manual_seed(0)
    texts = []
    for stays in (1, 2):
        row = torch.arange(4)[None] < stays
        member = Member(row[0], row[0])
        behind = Text("prompt_embeds_2", torch.randn(1, 4, 3, generator=generator), [member], call=1)
        text = Text("prompt_embeds", torch.randn(1, 4, 3, generator=generator), [member], behind=behind)
        memory.note(text)
        run.texts.append(text)
        texts.append(text)
    batch = Batch(texts[0].embeds.clone(), texts[0].behind.embeds.clone())

    def stays():
        (member,) = memory.trace(batch, run)
        return member.visible.tolist()

    assert stays() == [True, False, False, False] * 2
    assert stays() == [True, False, False, False] * 2
    if written == "behind":
        batch.behind.copy_(texts[1].behind.embeds)
        with pytest.raises(ValueError, match="padding is unknown"):
            stays()
    batch.rows.copy_(texts[1].embeds)
    batch.behind.copy_(texts[1].behind.embeds)
    assert stays() == [True, True, False, False] * 2
    other = Batch(batch.rows, texts[0].behind.embeds)  # the same rows, and others behind them
    with pytest.raises(ValueError, match="padding is unknown"):
        memory.trace(other, run)


def test_a_run_that_was_broken_off(tiny):
    """In FLUX the negative prompt has a call of its own, the second: not the first one of the next run."""
    pipe = tiny("flux")
    more = {"true_cfg_scale": 3.0, "negative_prompt": "green"}

    def stop(pipe, step, timestep, kwargs):
        raise KeyError("mine")

    with padtone.replace_padding(pipe):
        expected = text_pipelines.run(pipe, "flux", PROMPT, **more)
        with pytest.raises(KeyError, match="mine"):
            text_pipelines.run(pipe, "flux", OTHER, callback_on_step_end=stop)
        assert torch.equal(text_pipelines.run(pipe, "flux", PROMPT, **more), expected)


def broken_before_sampling(pipe, monkeypatch):
    def fail(*args, **kwargs):
        raise OSError("no memory")

    monkeypatch.setattr(pipe, "prepare_latents", fail)


def test_a_run_that_ended_after_its_prompts_were_encoded(tiny):
    pipe = tiny("flux")
    with padtone.replace_padding(pipe):
        expected = text_pipelines.run(pipe, "flux", PROMPT)
        with pytest.MonkeyPatch.context() as patch:
            broken_before_sampling(pipe, patch)
            with pytest.raises(OSError, match="no memory"):
                text_pipelines.run(pipe, "flux", OTHER)
        assert torch.equal(text_pipelines.run(pipe, "flux", PROMPT), expected)


def test_given_rows_do_not_make_the_negative_prompt_the_prompt(tiny):
    """FLUX with encodings of the caller's own: what is encoded then is the negative prompt alone."""
    pipe = tiny("flux")
    full = padtone.encode(pipe, PROMPT, **text_pipelines.text_options("flux"))
    more = full | {"negative_prompt": "green", "true_cfg_scale": 3.0}
    stock = text_pipelines.run(pipe, "flux", None, **more)
    with padtone.replace_padding(pipe):
        assert torch.equal(text_pipelines.run(pipe, "flux", None, **more), stock)


def test_a_negative_prompt_equal_to_the_prompt(tiny):
    pipe = tiny("sd1")
    with padtone.trim_padding(pipe):
        assert seen_rows(pipe, PROMPT, negative_prompt=PROMPT) == [[5]]


def test_the_second_encoder_tells_texts_apart(monkeypatch):
    """HunyuanDiT's BERT gives both texts the same rows, T5 does not."""
    pipe = text_pipelines.fresh("hunyuan_dit")
    words = pipe.text_encoder.get_input_embeddings().weight
    words.copy_(words[:1].expand_as(words))
    masks = []
    hook = pipe.transformer.register_forward_pre_hook(
        lambda module, args, kwargs: masks.append(kwargs["text_embedding_mask_t5"].sum(-1).tolist()),
        with_kwargs=True,
    )
    short, long = PROMPT, "a green dog"  # of equal length, so that BERT's rows are equal under its mask
    try:
        with padtone.trim_padding(pipe):
            for first, second in ((short, long), (long, short)):
                text_pipelines.run(pipe, "hunyuan_dit", first, negative_prompt=second)
            embeds = [_both(pipe, text) for text in (short, OTHER)]
            for text, t5 in zip(embeds, (4, 8), strict=True):
                masks.clear()
                copied = {name: value.clone() for name, value in text.items()}
                text_pipelines.run(pipe, "hunyuan_dit", None, **copied, guidance_scale=1.0)
                assert masks[0] == [t5]
    finally:
        hook.remove()


def _both(pipe, prompt):
    names = ("prompt_embeds", None, "prompt_attention_mask", None)
    both = {}
    for index, (suffix, length) in enumerate((("", 77), ("_2", 256))):
        values = pipe.encode_prompt(
            prompt,
            "cpu",
            do_classifier_free_guidance=False,
            max_sequence_length=length,
            text_encoder_index=index,
        )
        both |= {f"{name}{suffix}": v for name, v in zip(names, values, strict=True) if name}
    return both


def sibling(pipe):
    """Another pipeline of the same parts."""
    return type(pipe)(**pipe.components, requires_safety_checker=False)


def noise():
    return [torch.Generator().manual_seed(0)]


def picture(pipe, prompt, **more):
    return torch.as_tensor(
        pipe(prompt, generator=noise(), num_inference_steps=2, output_type="np", **CALL | more).images
    )


@pytest.mark.parametrize("act", [padtone.trim_padding, padtone.mask_padding])
def test_another_pipeline_on_the_same_parts_is_left_alone(act):
    """In turn, and step by step: one runs inside the other's callback."""
    pipe = text_pipelines.fresh("sd1")
    other = sibling(pipe)
    for each in (pipe, other):
        each.set_progress_bar_config(disable=True)
        each.scheduler = type(pipe.scheduler).from_config(pipe.scheduler.config)
    plain = picture(other, OTHER)
    with act(pipe):
        alone = picture(pipe, PROMPT)
    inner = []

    def look(running, step, timestep, kwargs):
        inner.append(picture(other, OTHER))
        return kwargs

    with act(pipe):
        assert torch.equal(picture(other, OTHER), plain)
        assert torch.equal(picture(pipe, PROMPT, callback_on_step_end=look), alone)
        assert all(torch.equal(one, plain) for one in inner)
        with act(other, keep=3):
            kept = picture(other, OTHER)
            assert torch.equal(picture(pipe, PROMPT), alone)
            assert not torch.equal(kept, plain)
        inner.clear()
        assert torch.equal(picture(other, OTHER), plain)
    assert len(plain) == 1


def test_the_same_pipeline_inside_its_own_callback():
    pipe = text_pipelines.fresh("sd1")
    pipe.set_progress_bar_config(disable=True)
    inner = []

    def look(running, step, timestep, kwargs):
        if not inner:
            scheduler = pipe.scheduler
            pipe.scheduler = type(scheduler).from_config(scheduler.config)
            inner.append(None)
            inner.append(picture(pipe, OTHER, guidance_scale=1.0))
            pipe.scheduler = scheduler
            pipe._guidance_scale = 7.5
        return kwargs

    with padtone.trim_padding(pipe):
        alone = picture(pipe, PROMPT, guidance_scale=7.5), picture(pipe, OTHER, guidance_scale=1.0)
        outer = picture(pipe, PROMPT, guidance_scale=7.5, callback_on_step_end=look)
    assert torch.equal(inner[1], alone[1])
    assert torch.equal(outer, alone[0])


def test_a_callback_that_ends_guidance(blind):
    """It cuts the negative prompts out of the batch: their rows cannot be told from the prompts' by value."""

    def cut(pipe, step, timestep, kwargs):
        pipe._guidance_scale = 1.0
        return {"prompt_embeds": kwargs["prompt_embeds"].chunk(2)[-1]}

    call = dict(num_inference_steps=2, output_type="latent", callback_on_step_end=cut, **CALL)
    with padtone.trim_padding(blind):
        seen, hook = read(blind)
        blind(OTHER, negative_prompt=PROMPT, callback_on_step_end_tensor_inputs=["prompt_embeds"], **call)
        hook.remove()
    assert [(rows, bias is None) for rows, bias in seen] == [(9, False), (9, True)]


def one_at_a_time(encode_prompt, lock):
    """Without any hook of ours, threads that share a tokenizer and an encoder of transformers get wrong rows."""

    @functools.wraps(encode_prompt)
    def encode(*args, **kwargs):
        with lock:
            return encode_prompt(*args, **kwargs)

    return encode


def test_two_threads_with_pipelines_of_the_same_parts():
    """Each waits for the other at every step."""
    pipe = text_pipelines.fresh("sd1")
    pipes = [pipe, sibling(pipe), sibling(pipe)]
    for each in pipes:
        each.set_progress_bar_config(disable=True)
        each.scheduler = type(pipe.scheduler).from_config(pipe.scheduler.config)
    prompts, acts = (PROMPT, OTHER, "a cat"), (padtone.trim_padding, padtone.mask_padding, None)
    alone, together = [], [None] * 3
    for each, prompt, act in zip(pipes, prompts, acts, strict=True):
        with act(each) if act else torch.no_grad():
            alone.append(picture(each, prompt))
    turn = threading.Barrier(3, timeout=60)
    encoding = threading.Lock()
    for each in pipes:
        each.encode_prompt = one_at_a_time(each.encode_prompt, encoding)

    def wait(running, step, timestep, kwargs):
        turn.wait()
        return kwargs

    def draw(i):
        torch.set_grad_enabled(False)
        turn.wait()
        together[i] = picture(pipes[i], prompts[i], callback_on_step_end=wait)

    with padtone.trim_padding(pipes[0]), padtone.mask_padding(pipes[1]):
        threads = [threading.Thread(target=draw, args=(i,)) for i in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    for one, other in zip(alone, together, strict=True):
        assert torch.equal(one, other)


def test_a_swap_leaves_another_pipeline_with_the_same_texts_alone():
    """Two pipelines of the same parts and prompt: only the run that was meant is patched."""
    pipe = text_pipelines.fresh("sd1")
    other = sibling(pipe)
    for each in (pipe, other):
        each.set_progress_bar_config(disable=True)
        each.scheduler = type(pipe.scheduler).from_config(pipe.scheduler.config)
    encoded = stack_arguments(encode_arms(pipe, PROMPT, ("full", "clean"), options={}))
    call = dict(num_inference_steps=2, output_type="np", **CALL)

    def run(which, **more):
        arguments = pipe_arguments(which, encoded, 2, call | more)
        return torch.as_tensor(which(**arguments, generator=generators(0, 2)).images)

    plain, inner = run(other), []
    everything = Patch(torch.ones(1, 77, dtype=torch.bool))

    def look(running, step, timestep, kwargs):
        inner.append(run(other))
        return kwargs

    with overwrite_rows(pipe, encoded["prompt_embeds"], everything):
        patched = run(pipe, callback_on_step_end=look)
    assert (patched[1] - patched[0]).abs().max() < 1e-5
    assert (plain[1] - plain[0]).abs().max() > 1e-3
    assert len(inner) == 2
    assert all(torch.equal(one, plain) for one in inner)


def _gradient(pipe, name, block, later):
    """Of a latent through a run; `later`: the gradient is taken when the run and the block are over."""
    start = torch.randn(2, 4, 16, 16, generator=torch.Generator().manual_seed(0)).requires_grad_()
    sample = type(pipe).__call__.__wrapped__
    arguments = pipe_arguments(
        pipe,
        stack_arguments(encode_arms(pipe, PROMPT, ("full", "clean"), options={})),
        2,
        dict(num_inference_steps=3, output_type="latent", **CALL),
    )
    if block is None:
        arguments = {"prompt": [PROMPT, OTHER], "num_inference_steps": 3, "output_type": "latent", **CALL}
        block = padtone.mask_padding(pipe)
    else:
        patch = Patch(torch.arange(77)[None] % 2 == 0, span=(0.4, 0.9))
        block = overwrite_rows(pipe, arguments["prompt_embeds"], patch)
    with torch.enable_grad(), block:
        out = sample(pipe, latents=start, **arguments)[0]
        if not later:
            return _backward(out, start)
    return _backward(out, start)


def _backward(out, start):
    """In a thread of its own, as on a GPU."""
    found = []

    def go():
        found.extend(torch.autograd.grad(out.square().sum(), start))

    thread = threading.Thread(target=go)
    thread.start()
    thread.join()
    return found[0]


@pytest.mark.parametrize("swap", [None, True], ids=["mask", "swap"])
def test_recomputed_blocks_do_what_their_own_call_did(swap):
    pipe = text_pipelines.fresh("sd1")
    plain = _gradient(pipe, "sd1", swap, later=False)
    before = [vars(m).get("_gradient_checkpointing_func") for m in pipe.unet.modules()]
    pipe.unet.enable_gradient_checkpointing()
    pipe.unet.train()
    ours = [vars(m).get("_gradient_checkpointing_func") for m in pipe.unet.modules()]
    recomputed = _gradient(pipe, "sd1", swap, later=False)
    assert [vars(m).get("_gradient_checkpointing_func") for m in pipe.unet.modules()] == ours != before
    assert plain.abs().max() > 0
    assert (plain - recomputed).abs().max() < 1e-5 * plain.abs().max()


def test_a_block_that_is_run_by_hand(tiny):
    """Outside every call of the denoiser nobody knows whose text it is."""
    pipe = tiny("sd1")
    attention = next(m for n, m in pipe.unet.named_modules() if n.endswith("attn2"))
    with (
        hide_padding(pipe, family_of(pipe), 0, trim=False),
        pytest.raises(RuntimeError, match="ran outside every call of it"),
    ):
        attention(torch.zeros(1, 4, attention.query_dim), encoder_hidden_states=torch.zeros(1, 77, 16))
