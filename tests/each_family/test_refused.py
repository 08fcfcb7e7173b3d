"""Families that are known and of which nothing can be done; prompts that a family cannot take."""

import diffusers
import pytest

import padtone
from padtone.families.registry import check_known, family_of, known_families
from tests.each_family.refusals import refused
from tests.tiny.family_calls import PROMPT, call

ALTOGETHER = [name for name, family in known_families().items() if family.why_nothing is not None]


def test_which():
    assert ALTOGETHER == ["GlmImagePipeline", "Ideogram4Pipeline", "QwenImage21Pipeline"]


@pytest.mark.parametrize("kind", ALTOGETHER)
def test_nothing_can_be_done(kind):
    """Said before anything of the pipeline is asked for, so a bare object will do."""
    cls = getattr(diffusers, kind)
    pipe = object.__new__(cls)
    assert family_of(pipe) is known_families()[kind]
    attempts = {
        "roles": lambda: padtone.token_roles(pipe, PROMPT),
        "mask": lambda: padtone.mask_padding(pipe).__enter__(),
        "trim": lambda: padtone.trim_padding(pipe).__enter__(),
        "replace": lambda: padtone.replace_padding(pipe).__enter__(),
        "ite": lambda: padtone.ite(pipe, PROMPT, [0]),
        "idp": lambda: padtone.idp(pipe, PROMPT, [0]),
        "attention": lambda: padtone.attention_to_padding(pipe, PROMPT),
    }
    for action, attempt in attempts.items():
        refused(pipe, action, attempt)
    with pytest.raises(ValueError, match=rf"^'a model' is a {kind}, and padtone can do nothing with it: \w+"):
        check_known(kind, "a model")  # before it is loaded


@pytest.mark.parametrize("prompt", ["a 'red' cat", 'a "red" cat', "a \u201cred\u201d cat"])
@pytest.mark.parametrize("name", ["hunyuan_image", "longcat"])
def test_words_in_quotation_marks(tiny, name, prompt):
    """Another encoder reads them too (HunyuanImage 2.1), or the tokenizer reads them otherwise (LongCat)."""
    with pytest.raises(ValueError, match=r"words in quotation marks.*leave the quotation marks out$"):
        padtone.token_roles(tiny(name), prompt)
    if name == "hunyuan_image":
        with pytest.raises(ValueError, match=r"HunyuanImage 2\.1 with the prompt"):
            padtone.ite(tiny(name), prompt, [0], **call(name))


def test_longcat_takes_no_encodings(tiny):
    with pytest.raises(
        ValueError, match=r"pipeline of LongCat-Image takes no encodings.*ite and padtone.idp hand"
    ):
        padtone.encode(tiny("longcat"), PROMPT)


def test_an_apostrophe_is_no_quotation_mark(tiny):
    (entry,) = padtone.token_roles(tiny("longcat"), "a cat's tree")
    assert entry.count("prompt") > 3


def test_prx_draws_one_picture_a_call_with_guidance(tiny):
    with pytest.raises(
        ValueError, match=r"guidance_scale is 4.0, and PRX then draws one picture a call.*pass guid"
    ):
        padtone.ite(tiny("prx"), PROMPT, [0], **call("prx", guidance_scale=4.0))
    padtone.attention_to_padding(tiny("prx"), PROMPT, **call("prx", guidance_scale=4.0))  # one picture
