"""What the table of families says, against what the pipelines do."""

from itertools import groupby

import pytest
import torch

import padtone
from padtone.families.registry import family_of
from padtone.hooks.encoder import watch_encoders
from padtone.interventions.encoding import encode_prompts
from tests.tiny import text_pipelines

PROMPT = "a red cat"

# Written by hand: role x count, in order of rows; one line per text encoder.
EXPECTED = {
    "sd1": ["bos 1 prompt 3 eos 1 padding 72"],
    "sd2": ["bos 1 prompt 3 eos 1 padding 72"],
    "sdxl": ["bos 1 prompt 3 eos 1 padding 72"] * 2,
    "sd3": ["bos 1 prompt 3 eos 1 padding 72"] * 2 + ["prompt 3 eos 1 padding 20"],
    "flux": ["bos 1 prompt 3 eos 1 padding 72", "prompt 3 eos 1 padding 20"],
    "flux_clip": ["bos 1 prompt 3 eos 1 padding 67"] * 2,
    "flux2": ["padding 30 bos 1 template 29 prompt 3 template 1"],  # Mistral pads at the left
    "flux2_klein": ["template 2 prompt 3 template 3 padding 16"],
    "chroma": ["prompt 3 eos 1 padding 20"],
    "pixart_alpha": ["prompt 3 eos 1 padding 20"],
    "pixart_sigma": ["prompt 3 eos 1 padding 20"],
    "sana": ["bos 1 template 1 prompt 3 padding 19"],  # of the instruction, the last token is left
    "lumina2": ["bos 1 template 30 prompt 3 padding 30"],
    "aura_flow": ["prompt 3 eos 1 padding 20"],
    "qwen_image": ["prompt 3 template 3"],
    "z_image": ["template 2 prompt 3 template 3"],
    "hunyuan_dit": ["bos 1 prompt 3 eos 1 padding 72", "prompt 3 eos 1 padding 252"],
    "cogview4": ["padding 11 bos 2 prompt 3"],
}
ROWS = {
    "sdxl": [range(0, 77), range(0, 77)],
    "sd3": [range(0, 77), range(0, 77), range(77, 101)],
    "flux": [None, range(0, 24)],
    "flux_clip": [None, range(0, 72)],
    "hunyuan_dit": [range(0, 77), range(77, 333)],
}
PADDING = {"sd1": "<|endoftext|>", "sd2": "!", "flux": "<pad>", "cogview4": "<|endoftext|>", "flux2": "<pad>"}


def runs(roles) -> str:
    return " ".join(f"{role} {len(list(group))}" for role, group in groupby(roles))


@pytest.mark.parametrize("name", text_pipelines.BUILDERS)
def test_roles(tiny, name):
    entries = padtone.token_roles(tiny(name), PROMPT, **text_pipelines.text_options(name))
    assert [runs(entry.roles) for entry in entries] == EXPECTED[name]
    assert [entry.rows for entry in entries] == ROWS.get(name, [range(len(entries[0].ids))])
    for entry in entries:
        assert [entry.tokens[i] for i in entry.at("prompt")] == PROMPT.split()
        assert len(entry.tokens) == len(entry.ids) == len(entry.roles)
        assert entry.cut == ""
    if name in PADDING:
        assert {entries[-1].tokens[i] for i in entries[-1].at("padding")} == {PADDING[name]}


@pytest.mark.parametrize("name", text_pipelines.BUILDERS)
def test_rows_are_the_denoisers(tiny, name):
    """The roles cover exactly the rows that `encode_prompt` returns."""
    pipe = tiny(name)
    arguments = encode_prompts(pipe, [PROMPT], text_pipelines.text_options(name)).arguments
    rows = sum(arguments[names[0]][0].shape[0] for names in family_of(pipe).returns)
    last = padtone.token_roles(pipe, PROMPT, **text_pipelines.text_options(name))[-1]
    assert last.rows.stop == rows


@pytest.mark.parametrize("name", [n for n in text_pipelines.BUILDERS if n != "flux_clip"])  # cannot read 512
def test_table_says_what_encoders_get(tiny, name):
    """Padded length, mask and number of encoders are as written in the table, at the pipeline's defaults."""
    pipe = tiny(name)
    family = family_of(pipe)
    options = {k: v for k, v in text_pipelines.text_options(name).items() if k == "text_encoder_out_layers"}
    with watch_encoders(pipe, family) as calls:
        encode_prompts(pipe, [PROMPT], options)
    assert [call.encoder for call in calls] == list(family.encoders)
    for call in calls:
        assert (call.mask is not None) == call.encoder.masked
        tokenizer = getattr(pipe, call.encoder.tokenizer)
        assert tokenizer.pad_token in call.encoder.pad.split()
        if call.encoder.length is not None:
            extra = 0
            if name == "sana":  # the instruction comes on top
                before, _, _ = family.text(pipe, PROMPT, _defaults(pipe))
                extra = len(pipe.tokenizer(before).input_ids) - 2
            assert call.ids.shape[1] == call.encoder.length + extra


def _defaults(pipe) -> dict:
    from padtone.interventions.encoding import call_options

    return call_options(pipe, {})


@pytest.mark.parametrize("name", [n for n in text_pipelines.BUILDERS if n not in ("qwen_image", "z_image")])
def test_table_says_whether_the_denoiser_masks(tiny, name):
    """Random rows in place of the padding change the image exactly where the table says they can."""
    pipe = tiny(name)
    family = family_of(pipe)
    options = text_pipelines.text_options(name)
    full = padtone.encode(pipe, PROMPT, **options)
    rows = torch.tensor(
        padtone.maths.roles.chosen_rows(padtone.token_roles(pipe, PROMPT, **options), "padding", 10**3)
    )
    noise, first = dict(full), 0
    for names in family.returns:
        text = full[names[0]]
        place = rows[first : first + text.shape[1]]
        noise[names[0]] = torch.where(place[None, :, None], torch.randn_like(text), text)
        first += text.shape[1]
    stock, other = (text_pipelines.run(pipe, name, None, **arguments) for arguments in (full, noise))
    changed = (stock - other).abs().max() > 1e-6
    # HunyuanDiT's T5 padding still reaches the denoiser through its pooled T5 vector.
    assert changed == (not family.denoiser_masks)


def test_chroma_does_not_mask(tiny):
    """Its mask should hide all padding but the first; it is added to the scores and hides nothing."""
    pipe = tiny("chroma")
    options = text_pipelines.text_options("chroma")
    images = []
    for fill in (0.0, 5.0):
        arguments = padtone.encode(pipe, PROMPT, **options)
        arguments["prompt_embeds"][:, 6:] = fill  # 3 words, the end, the padding token that is kept, one more
        assert arguments["prompt_attention_mask"].tolist() == [[1.0] * 5 + [0.0] * 19]
        images.append(text_pipelines.run(pipe, "chroma", None, **arguments))
    assert (images[0] - images[1]).abs().max() > 1e-3


def test_masks_of_qwen_image_in_a_batch(tiny):
    """Only a batch is padded, at its end, with rows that no token made; the denoiser masks them."""
    pipe = tiny("qwen_image")
    short, long = encode_prompts(pipe, [PROMPT, f"{PROMPT} sitting under a tree"], {}).roles
    assert runs(short[0].roles) == "prompt 3 template 3 padding 4"
    assert short[0].ids[-1] == -1
    assert short[0].tokens[-1] == ""
    assert runs(long[0].roles) == "prompt 7 template 3"


def test_exclamation_marks_in_sd2(tiny):
    """Id 0 is padding behind the end, and a word before it."""
    (entry,) = padtone.token_roles(tiny("sd2"), "a cat ! ! !")
    assert runs(entry.roles) == "bos 1 prompt 5 eos 1 padding 70"
    assert entry.ids[3] == entry.ids[-1] == 0


def test_prompt_that_is_also_in_the_template(tiny):
    """The word `user` stands in the template before it stands in the prompt."""
    (entry,) = padtone.token_roles(tiny("z_image"), "user user")
    assert runs(entry.roles) == "template 2 prompt 2 template 3"


def test_preprocessed_prompts(tiny):
    """PixArt strips and lowers the prompt before it reads it."""
    (entry,) = padtone.token_roles(tiny("pixart_alpha"), "  A Red CAT ", max_sequence_length=24)
    assert runs(entry.roles) == "prompt 3 eos 1 padding 20"


def test_empty_prompt(tiny):
    (entry,) = padtone.token_roles(tiny("sd1"), "")
    assert runs(entry.roles) == "bos 1 eos 1 padding 75"


def test_prompt_that_just_fits(tiny):
    (entry,) = padtone.token_roles(tiny("sd1"), " ".join(["cat"] * 75))
    assert runs(entry.roles) == "bos 1 prompt 75 eos 1"
    assert entry.cut == ""


@pytest.mark.parametrize(
    ("name", "words", "cut", "roles"),
    [
        ("sd1", ["cat"] * 75 + ["red", "dog"], "red dog", "bos 1 prompt 75 eos 1"),
        ("sd2", ["cat"] * 75 + ["red", "dog"], "red dog", "bos 1 prompt 75 eos 1"),
        ("chroma", ["cat"] * 23 + ["dog"], "dog", "prompt 23 eos 1"),
        ("sana", ["cat"] * 23 + ["dog"], "dog", "bos 1 template 1 prompt 22"),
        ("lumina2", ["cat"] * 33 + ["big", "dog"], "big dog", "bos 1 template 30 prompt 33"),
        ("flux2_klein", ["cat"] * 22 + ["dog"], "dog", "template 2 prompt 22"),
    ],
)
def test_prompt_beyond_the_length(tiny, name, words, cut, roles):
    options = text_pipelines.text_options(name)
    if name == "sana":
        words, cut = words[:22] + words[23:], "dog"
    with pytest.warns(UserWarning, match=f"cuts the prompt's end: '{cut}'"):
        (entry,) = padtone.token_roles(tiny(name), " ".join(words), **options)
    assert entry.cut == cut
    assert runs(entry.roles) == roles


def test_sd3_without_t5():
    pipe = text_pipelines.BUILDERS["sd3"](t5=False)
    entries = padtone.token_roles(pipe, PROMPT, max_sequence_length=24)
    assert [entry.name for entry in entries] == ["text_encoder", "text_encoder_2"]
    arguments = padtone.encode(pipe, PROMPT, "padding", max_sequence_length=24)
    assert arguments["prompt_embeds"].shape[1] == 77 + 24
    assert not arguments["prompt_embeds"][:, 77:].any()


def test_unknown_pipeline(tiny):
    from diffusers import DDPMPipeline, DDPMScheduler

    pipe = DDPMPipeline(unet=tiny("sd1").unet, scheduler=DDPMScheduler())
    with pytest.raises(
        ValueError, match=r"DDPMPipeline is not a pipeline that padtone knows.*register_family"
    ):
        padtone.token_roles(pipe, PROMPT)


def test_known_before_it_is_loaded():
    """By the name in model_index.json."""
    from padtone.families.registry import check_known

    check_known("FluxPipeline", "a model")
    for name in ("DDPMPipeline", "NoSuchPipeline", None):
        with pytest.raises(
            ValueError, match=r"'a model' is a .*which padtone does not know; it knows AuraFlow"
        ):
            check_known(name, "a model")


def test_register_family(tiny, monkeypatch):
    from diffusers import StableDiffusionPipeline

    class Own(StableDiffusionPipeline):
        pass

    monkeypatch.setattr("padtone.families.registry._REGISTERED", {})
    pipe = Own(**tiny("sd1").components, requires_safety_checker=False)
    assert family_of(pipe).title == "Stable Diffusion 1 and 2"  # by inheritance
    own = padtone.Family(
        "Own",
        (padtone.TextEncoder("text_encoder", "tokenizer", 77),),
        (("prompt_embeds", "negative_prompt_embeds"),),
        "cross",
        denoiser="unet",
        attends="attn2",
    )
    padtone.register_family(Own, own)
    assert family_of(pipe) is own
    assert padtone.known_families()["Own"] is own
    assert runs(padtone.token_roles(pipe, PROMPT)[0].roles) == EXPECTED["sd1"][0]
    with pytest.raises(TypeError, match="takes a class and a Family"):
        padtone.register_family(Own, "Own")


@pytest.mark.parametrize(
    ("change", "message"),
    [({"attention": "sideways"}, "attention is 'sideways'"), ({"returns": ()}, "as many returns as calls")],
)
def test_bad_family(change, message):
    arguments = {
        "title": "Own",
        "encoders": (padtone.TextEncoder("text_encoder", "tokenizer", 77),),
        "returns": (("prompt_embeds",),),
        "attention": "cross",
    }
    with pytest.raises(ValueError, match=message):
        padtone.Family(**arguments | change)


def test_bad_encoder():
    with pytest.raises(ValueError, match="feeds is 'columns'"):
        padtone.TextEncoder("text_encoder", "tokenizer", 77, feeds="columns")


def test_not_one_string(tiny):
    with pytest.raises(TypeError, match="it must be one string"):
        padtone.token_roles(tiny("sd1"), [PROMPT])


def test_slow_tokenizers_are_refused(tiny, monkeypatch):
    pipe = tiny("sd1")
    monkeypatch.setattr(type(pipe.tokenizer), "is_fast", False)
    with pytest.raises(ValueError, match="load the fast tokenizer"):
        padtone.token_roles(pipe, PROMPT)
