"""ITE: which rows come from where, and the images made of them."""

import pytest
import torch

import padtone
from padtone.interventions.encoding import encode_prompts
from padtone.interventions.ite import swap_rows
from tests.tiny import swapping_checks as checks
from tests.tiny import text_pipelines
from tests.tiny.family_calls import FAST

PROMPT, OTHER = "a red cat", "a big green dog under the tree"


def encode(pipe, name, prompt, *args, **more):
    return padtone.encode(pipe, prompt, *args, **text_pipelines.text_options(name), **more)


def rows(pipe, name, keep, prompt=PROMPT):
    entries = padtone.token_roles(pipe, prompt, **text_pipelines.text_options(name))
    length = max(entry.rows.stop for entry in entries if entry.rows is not None)
    return torch.tensor(padtone.maths.roles.chosen_rows(entries, keep, length))


def test_swap_rows_by_hand():
    full, clean = torch.ones(1, 3, 2), torch.zeros(1, 3, 2)
    kept = torch.tensor([[True, False, True]])
    assert swap_rows(full, clean, kept)[0, :, 0].tolist() == [1, 0, 1]
    (listed,) = swap_rows([full[0]], [clean[0]], kept)
    assert listed[:, 1].tolist() == [1, 0, 1]


@pytest.mark.parametrize("name", FAST)
def test_arms_are_made_of_full_and_clean(tiny, name):
    checks.arms_are_made_of_full_and_clean(tiny(name), name)
    checks.clean_does_not_depend_on_the_prompt(tiny(name), name)


def test_clean_of_an_unmasked_encoder_does_not_depend_on_the_prompts_length(tiny):
    one, longer = (encode(tiny("sd1"), "sd1", prompt, "clean", pooled="clean") for prompt in (PROMPT, OTHER))
    assert all(torch.equal(one[key], longer[key]) for key in one)


def test_clean_is_padding_and_nothing_else(tiny):
    """No begin, no end: the encoder's own output for N padding tokens."""
    pipe = tiny("sd2")
    pad = torch.full((1, 77), pipe.tokenizer.pad_token_id)
    assert torch.equal(encode(pipe, "sd2", PROMPT, "clean")["prompt_embeds"], pipe.text_encoder(pad)[0])


def test_clean_under_a_mask_gets_the_prompts_mask(tiny):
    pipe = tiny("pixart_alpha")
    mask = torch.zeros(1, 24, dtype=torch.long)
    mask[:, :4] = 1
    expected = pipe.text_encoder(torch.zeros(1, 24, dtype=torch.long), attention_mask=mask)[0]
    assert torch.equal(encode(pipe, "pixart_alpha", PROMPT, "clean")["prompt_embeds"], expected)


def test_clean_can_be_the_empty_prompt(tiny):
    pipe = tiny("sd1")
    ids = pipe.tokenizer("", padding="max_length", return_tensors="pt").input_ids
    clean = encode(pipe, "sd1", PROMPT, "clean", clean="empty_prompt")["prompt_embeds"]
    assert torch.equal(clean, pipe.text_encoder(ids)[0])


@pytest.mark.parametrize("name", ["sdxl", "sd3", "flux", "flux_clip"])
def test_pooled(tiny, name):
    pipe = tiny(name)
    full, kept, clean = (
        encode(pipe, name, PROMPT, "full"),
        encode(pipe, name, PROMPT, "clean"),
        encode(pipe, name, PROMPT, "clean", pooled="clean"),
    )
    key = "pooled_prompt_embeds"
    assert torch.equal(full[key], kept[key])
    assert not torch.equal(full[key], clean[key])


def test_source_gives_the_chosen_rows(tiny):
    pipe = tiny("sd1")
    mixed = encode(pipe, "sd1", PROMPT, "padding", source=OTHER)["prompt_embeds"][0]
    other, clean = (
        encode(pipe, "sd1", p, k)["prompt_embeds"][0] for p, k in ((OTHER, "full"), (PROMPT, "clean"))
    )
    kept = rows(pipe, "sd1", "padding")
    assert torch.equal(mixed[kept], other[kept])
    assert torch.equal(mixed[~kept], clean[~kept])


def test_encode_keeps_slices(tiny):
    pipe = tiny("sd1")
    full, clean = (encode(pipe, "sd1", PROMPT, keep)["prompt_embeds"][0] for keep in ("full", "clean"))
    mixed = encode(pipe, "sd1", PROMPT, (slice(0, 2), 70))["prompt_embeds"][0]
    kept = torch.zeros(77, dtype=torch.bool)
    kept[[0, 1, 70]] = True
    assert torch.equal(mixed, torch.where(kept[:, None], full, clean))


@pytest.mark.parametrize("name", FAST)
def test_full_is_the_plain_image(tiny, name):
    checks.full_is_the_plain_image(tiny(name), name)


def test_padding_to_more_than_the_encoder_reads(tiny):
    """FLUX pads its second text to 512 unless told otherwise; a CLIP in T5's place has 72 positions."""
    pipe = tiny("flux_clip")
    sentence = "FluxPipeline pads to 512 tokens here and text_encoder_2 reads at most 72: pass max_sequence_length=72"
    small = text_pipelines.SIZE | {"num_inference_steps": 1}
    for forgetful in (
        lambda: padtone.token_roles(pipe, PROMPT),
        lambda: padtone.encode(pipe, PROMPT),
        lambda: padtone.ite(pipe, PROMPT, [0], **small),
        lambda: padtone.idp(pipe, PROMPT, [0], **small),
        lambda: padtone.attention_to_padding(pipe, PROMPT, **small),
    ):
        with pytest.raises(ValueError, match=sentence):
            forgetful()
    with padtone.trim_padding(pipe), pytest.raises(ValueError, match=sentence):
        pipe(PROMPT, **small)
    assert len(padtone.token_roles(pipe, PROMPT, max_sequence_length=40)[1].ids) == 40


def test_encode_goes_into_the_pipeline(tiny):
    pipe = tiny("sdxl")
    stock = text_pipelines.run(pipe, "sdxl", PROMPT)
    assert (text_pipelines.run(pipe, "sdxl", None, **padtone.encode(pipe, PROMPT)) - stock).abs().max() < 1e-6


def test_seeds_and_pictures(tiny):
    call = text_pipelines.SIZE | {"num_inference_steps": 1}
    images = padtone.ite(tiny("sd1"), PROMPT, [3, 4], ("full", "clean", slice(0, 2)), **call)
    assert list(images) == ["full", "clean", "slice(0, 2, None)"]
    first, second = images["full"]
    assert first.size == (32, 32)
    assert first.tobytes() != second.tobytes()
    again = padtone.ite(tiny("sd1"), PROMPT, [4], ("full", "clean", slice(0, 2)), **call)
    assert again["full"][0].tobytes() == second.tobytes()


def test_encoding_is_restored_after_an_exception(tiny, monkeypatch):
    """A failing encoder leaves no hook behind (the fixture looks)."""
    pipe = tiny("sd1")
    before = encode(pipe, "sd1", PROMPT)["prompt_embeds"]

    def fail(*args, **kwargs):
        raise OSError("no memory")

    with monkeypatch.context() as patch:
        patch.setattr(type(pipe.text_encoder), "forward", fail)
        with pytest.raises(OSError, match="no memory"):
            encode(pipe, "sd1", PROMPT)
    assert torch.equal(encode(pipe, "sd1", PROMPT)["prompt_embeds"], before)


def test_a_batch_is_encoded_as_its_members(tiny):
    for name in ("sd1", "sd3", "chroma", "lumina2", "qwen_image"):
        pipe = tiny(name)
        options = text_pipelines.text_options(name)
        both = encode_prompts(pipe, [PROMPT, OTHER], options)
        for i, prompt in enumerate((PROMPT, OTHER)):
            alone = encode_prompts(pipe, [prompt], options)
            length = alone.arguments["prompt_embeds"].shape[1]
            assert torch.allclose(
                both.arguments["prompt_embeds"][i, :length], alone.arguments["prompt_embeds"][0], atol=1e-5
            )
            assert both.roles[i][0].roles[: len(alone.roles[0][0].roles)] == alone.roles[0][0].roles


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("sd1", {"keep": "nothing"}, "keep is 'nothing'"),
        ("sd1", {"keep": slice(70, 80)}, "outside the text's 77 rows"),
        ("sd1", {"keep": "template"}, "no such token"),
        ("sd1", {"clean": "zeros"}, "clean is 'zeros'; it can be 'padding' or 'empty_prompt'"),
        ("sd1", {"pooled": "half"}, "pooled is 'half'"),
        ("sd1", {"prompt": "", "keep": "prompt"}, "the prompt '' is empty"),
        (
            "sd1",
            {"prompt": " ".join(["cat"] * 75), "keep": "padding"},
            "fills all 77 rows and leaves no padding",
        ),
        ("z_image", {"keep": "padding"}, "Z-Image hands the denoiser no padding for 'a red cat'"),
        ("qwen_image", {"keep": "padding"}, "Qwen-Image hands the denoiser no padding"),
        ("qwen_image", {"clean": "empty_prompt"}, 'use clean="padding" and no source'),
        ("z_image", {"source": OTHER}, 'use clean="padding" and no source'),
    ],
)
def test_bad_input(tiny, name, arguments, message):
    with pytest.raises(ValueError, match=message):
        padtone.encode(tiny(name), **{"prompt": PROMPT} | arguments)


@pytest.mark.parametrize("name", ["generator", "prompt_embeds", "prompt_2", "negative_prompt_embeds"])
def test_arguments_that_padtone_sets(tiny, name):
    with pytest.raises(ValueError, match=f"{name} is set by padtone"):
        padtone.ite(tiny("sd1"), PROMPT, [0], **{name: None})


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"seeds": 3}, ValueError, r"seeds is 3; it is a sequence of numbers"),
        ({"seeds": []}, ValueError, r"seeds is \[\]"),
        ({"seeds": [-1]}, ValueError, r"seeds is \[-1\]; each is a whole number from 0"),
        ({"seeds": [0.5]}, ValueError, r"seeds is \[0.5\]"),
        ({"arms": ("full", "all")}, ValueError, "keep is 'all'"),
        ({"latents": None}, ValueError, "latents is set by padtone"),
        ({"stepz": 3}, TypeError, "StableDiffusionPipeline takes no stepz"),
        ({"negative_prompt": ["blue"]}, TypeError, r"negative_prompt is \['blue'\]; it is one string"),
    ],
)
def test_bad_calls(tiny, arguments, error, message):
    """Said before anything is run, by every function that makes images."""
    arguments = {"seeds": [0]} | arguments
    for function in (padtone.ite, padtone.idp_arms):
        with pytest.raises(error, match=message):
            function(tiny("sd1"), PROMPT, **arguments)


@pytest.mark.parametrize("function", [padtone.encode, padtone.token_roles])
def test_options_that_the_pipeline_does_not_take(tiny, function):
    with pytest.raises(TypeError, match="StableDiffusionPipeline takes no max_sequence_length"):
        function(tiny("sd1"), PROMPT, max_sequence_length=24)


@pytest.mark.parametrize("arms", [(), "full", ("full", "full")])
def test_bad_arms(tiny, arms):
    with pytest.raises(ValueError, match="it is a sequence of different arms"):
        padtone.ite(tiny("sd1"), PROMPT, [0], arms)
