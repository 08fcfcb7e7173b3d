"""What the table of families says, against what the pipelines do."""

import pytest

import padtone
from padtone.families.registry import family_of
from padtone.interventions.encoding import encode_prompts
from tests.tiny import role_checks, text_pipelines
from tests.tiny.role_checks import EXPECTED, runs

PROMPT = "a red cat"


@pytest.mark.parametrize("name", text_pipelines.BUILDERS)
def test_roles(tiny, name):
    role_checks.roles(tiny(name), name)
    role_checks.rows_are_the_denoisers(tiny(name), name)
    if name != "flux_clip":  # cannot read 512
        role_checks.table_says_what_encoders_get(tiny(name), name)


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
    [
        ({"attention": "sideways"}, "attention is 'sideways'"),
        ({"returns": ()}, "as many returns as calls"),
        ({"reads": "a word"}, "reads is 'a word'; it can be 'a text' or 'a prompt' or 'all'"),
        ({"refused": {"paint": "no"}}, r"refused has \['paint'\]; its keys can be roles, mask"),
    ],
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
