"""Which rows a word changes, on the true architectures of the families' encoders."""

import math
import re

import pytest
import torch

import padtone
from padtone.families.registry import family_of
from padtone.hooks.encoder import watch_encoders
from padtone.interventions.words import Rewording, usual_prompts, usual_words
from padtone.maths.sensitivity import EARLIER, LATER, POOLED, WORD
from picturelab.remarks import Remark
from picturelab.worlds import world
from tests.tiny import text_pipelines

PROMPT = "a large red cat on the green tree"
KINDS = {
    "size": ["large", "small", "big"],
    "colour": ["red", "green", "blue"],
    "thing": ["cat", "dog", "circle", "tree"],
}
UNRELATED = ["the small dog in a circle", "a square left of the old tree", "blue dog under a big square"]


def measure(pipe, name, prompt=PROMPT, **more):
    options = {"words": KINDS, "unrelated": UNRELATED, "changes": 2, "draws": 2}
    return padtone.sensitivity(pipe, prompt, **options | text_pipelines.text_options(name) | more)


def by_name(result):
    return {text.name: text for text in result.texts}


@pytest.mark.parametrize("name", ["sd1", "sdxl", "flux2_klein"])
def test_a_causal_encoder_leaves_earlier_rows_as_they_are(tiny, name):
    """Exactly: they are computed from the same numbers. Everything behind the word changes."""
    result = measure(tiny(name), name)
    assert result.words == ("large", "red", "cat", "green", "tree")
    assert result.unreplaced == ("a", "on", "the")
    for text in (text for text in result.texts if not text.pooled):
        assert text.changes[EARLIER] == (0.0, 0.0)
        assert text.exponents[EARLIER] is None
        for part in (WORD, LATER, "padding"):
            assert min(text.changes[part]) > 0.01
        for own, carry in zip(text.own, text.carry, strict=True):
            assert (carry[: own[0]] == 0).all()
            assert (carry[own[0] :] > 0).all()


@pytest.mark.parametrize("name", ["flux", "pixart_alpha"])
def test_t5_lets_earlier_rows_see_later_words(tiny, name):
    text = by_name(measure(tiny(name), name))["text_encoder_2" if name == "flux" else "text_encoder"]
    assert min(text.changes[EARLIER]) > 0.001
    assert (text.carry > 0).all()


def test_padding_at_the_left_carries_nothing_under_sdpa(tiny):
    """FLUX.2: nothing that such a row may attend to is there, so it is one constant vector."""
    text = by_name(measure(tiny("flux2"), "flux2"))["text_encoder"]
    assert text.roles[0] == "padding"
    assert text.changes["padding"] == (0.0, 0.0)
    assert min(text.changes[LATER]) > 0.01


@pytest.mark.parametrize(
    ("name", "names"),
    [
        ("sd3", ["text_encoder", "text_encoder_2", "text_encoder_3", "pooled_prompt_embeds"]),
        ("flux", ["text_encoder_2", "pooled_prompt_embeds"]),
        ("hunyuan_dit", ["text_encoder", "text_encoder_2"]),
        ("cogview4", ["text_encoder"]),
        ("z_image", ["text_encoder"]),
        ("qwen_image", ["text_encoder"]),
        ("sana", ["text_encoder"]),
        ("aura_flow", ["text_encoder"]),
    ],
)
def test_every_encoder_has_its_entry(tiny, name, names):
    result = measure(tiny(name), name, draws=1)
    assert [text.name for text in result.texts] == names
    roles = {
        entry.name: entry.roles
        for entry in padtone.token_roles(tiny(name), PROMPT, **text_pipelines.text_options(name))
    }
    for text in result.texts:
        assert text.roles == roles.get(text.name) or (text.pooled and text.changes[POOLED][0] > 0)
        assert text.carry.shape == (5, len(text.roles))
        assert text.pooled or all(text.own)


def test_two_encoders_on_the_same_rows_are_told_apart_by_their_channels(tiny):
    """SDXL by hand: one word of two is known, so its only replacement is too."""
    pipe, kinds = tiny("sdxl"), {"thing": ["cat", "dog"]}
    texts = by_name(padtone.sensitivity(pipe, "a red cat", words=kinds, unrelated=UNRELATED[:2], changes=1))
    one, other, *compared = (
        padtone.encode(pipe, text) for text in ("a red cat", "a red dog", *UNRELATED[:2])
    )
    widths = [pipe.text_encoder.config.hidden_size, pipe.text_encoder_2.config.hidden_size]
    for name, channels in zip(
        ("text_encoder", "text_encoder_2"), (slice(widths[0]), slice(widths[0], None)), strict=True
    ):
        rows = [text["prompt_embeds"][0, :, channels] for text in (one, other, *compared)]
        assert rows[0].shape[1] in widths
        change = (rows[0] - rows[1])[3].square().mean().sqrt()
        words = (rows[2] - rows[3])[1:7].square().mean().sqrt()
        assert texts[name].carry[0, 3] == pytest.approx(float(change / words), rel=1e-4)
    vectors = [text["pooled_prompt_embeds"][0] for text in (one, other, *compared)]
    apart = (vectors[2] - vectors[3]).square().mean().sqrt()
    pooled = (vectors[0] - vectors[1]).square().mean().sqrt() / apart
    assert texts["pooled_prompt_embeds"].changes[POOLED] == pytest.approx((float(pooled),), rel=1e-4)


def test_the_same_for_a_seed_and_each_text_encoded_once(tiny):
    pipe = tiny("sd1")
    with watch_encoders(pipe, family_of(pipe)) as calls:
        first = measure(pipe, "sd1", seed=3).to_dict()
        ids = [tuple(call.ids.flatten().tolist()) for call in calls]
    assert len(ids) == len(set(ids))
    assert measure(pipe, "sd1", seed=3).to_dict() == first
    assert measure(pipe, "sd1", seed=4).to_dict() != first


def test_words_are_replaced_where_every_encoder_reads_as_many_tokens(tiny):
    pipe = tiny("sdxl")
    kinds = {"size": ["large", "big old", "huge"], "colour": ["red", "blue"], "other": ["Red", "green"]}
    rewording = Rewording(pipe, family_of(pipe), "A Red cat, large!", kinds, {})
    assert rewording.words == ["Red"]  # "big old" is two tokens, and no tokenizer of ours knows "huge"
    assert rewording.choices == [["Blue", "Green"]]
    assert rewording.unreplaced == ["A", "cat", "large"]


def test_fewer_words_than_changes(tiny):
    with pytest.warns(Remark, match="changes is 3, and 1 of the prompt's words can be replaced"):
        result = measure(tiny("sd1"), "sd1", "a red a", changes=3)
    assert result.counts == (1,)


def test_what_is_known_without_a_callers_words():
    """A world's own words for its models; our list and collection for others."""
    kinds = usual_words("shapeworld/unet")
    assert "green" in kinds["colour"]
    assert kinds["height"] == ["above", "below"]
    assert {word for words in kinds.values() for word in words} <= set(world().words())
    captions = usual_prompts("shapeworld/unet")
    assert all(not world().unknown_words(caption) for caption in captions)
    ours = usual_words("FOLDER")
    for words in ours.values():
        assert len(words) == len(set(words)) >= 2
        assert all(re.fullmatch("[a-z]+", word) for word in words)
    assert len(usual_prompts("FOLDER")) == 400


@pytest.mark.parametrize(
    ("more", "kind", "sentence"),
    [
        ({"prompt": "on the left"}, ValueError, "none of the words of 'on the left' can be replaced"),
        ({"prompt": ""}, ValueError, "none of the words of '' can be replaced"),
        ({"prompt": 3}, TypeError, "the prompt is 3"),
        ({"changes": 0}, ValueError, "changes=0: must be a whole number from 1"),
        ({"draws": 2.5}, ValueError, "draws=2.5: must be a whole number"),
        ({"seed": -1}, ValueError, "seed=-1: must be"),
        ({"words": ["red"]}, TypeError, r"words is \['red'\]; it maps kinds to words"),
        ({"words": {"colour": "red"}}, TypeError, "words is {'colour': 'red'}"),
        ({"words": {}}, TypeError, "words is {}"),
        ({"unrelated": "a cat"}, TypeError, "unrelated is 'a cat'; it is a sequence of prompts"),
        ({"unrelated": [PROMPT, "a cat"]}, ValueError, "it is two or more different prompts beside"),
        ({"unrelated": ["a cat", 3]}, ValueError, "unrelated=3: must be text"),
        ({"prompt_2": "a dog"}, ValueError, "prompt_2 is 'a dog'; here every encoder reads the prompt"),
        ({"colour": "red"}, TypeError, "StableDiffusionXLPipeline takes no colour"),
    ],
)
def test_bad_input(tiny, more, kind, sentence):
    with pytest.raises(kind, match=sentence):
        measure(tiny("sdxl"), "sdxl", **{"prompt": PROMPT} | more)


def test_words_that_change_the_rows_are_refused(tiny, monkeypatch):
    """A pipeline that reads a text otherwise than its tokenizer does alone."""
    pipe = tiny("sd1")
    monkeypatch.setattr(Rewording, "_fits", lambda self, text: True)
    with pytest.raises(ValueError, match=r"text_encoder gives .* other rows than the prompt"):
        measure(pipe, "sd1", "a red cat", words={"thing": ["cat", "big old tree"]}, changes=1)


def test_a_word_that_was_cut_off_changes_nothing(tiny):
    pipe = tiny("sd1")
    prompt = " ".join(["a"] * 80 + ["cat"])
    with pytest.warns(Remark, match="cuts the prompt's end"):
        text = by_name(measure(pipe, "sd1", prompt, changes=1))["text_encoder"]
    assert text.own == ((),)
    assert text.changes[EARLIER] == (0.0,)
    assert torch.equal(text.carry, torch.zeros_like(text.carry))
    assert math.isclose(sum(text.of_word(0).values()), 0.0)
