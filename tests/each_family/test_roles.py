"""Roles in every family: what each token is, and which rows of the denoiser's text it fills."""

import pytest

import padtone
from padtone.families.registry import family_of
from tests.tiny import role_checks as checks
from tests.tiny import text_pipelines
from tests.tiny.family_calls import UNPADDED

COLUMN = "roles"


@pytest.mark.parametrize("name", text_pipelines.ALL)
def test_roles(tiny, name):
    checks.roles(tiny(name), name)
    checks.rows_are_the_denoisers(tiny(name), name)


@pytest.mark.parametrize("name", [n for n in text_pipelines.ALL if n != "flux_clip"])  # cannot read 512
def test_table_says_what_encoders_get(tiny, name):
    checks.table_says_what_encoders_get(tiny(name), name)


@pytest.mark.parametrize("name", [n for n in text_pipelines.ALL if n not in UNPADDED])
def test_table_says_whether_the_denoiser_masks(tiny, name):
    if family_of(tiny(name)).takes_encodings:
        checks.table_says_whether_the_denoiser_masks(tiny(name), name)


@pytest.mark.parametrize(
    ("name", "words", "cut", "roles"),
    [
        ("krea2", 22, "dog", "prompt 21 template 3"),
        ("longcat", 25, "dog", "prompt 24"),
        ("hunyuan_image", 25, "dog", "prompt 24"),
        ("ovis", 25, "dog", "prompt 24"),
        ("bria", 24, "dog", "prompt 23 eos 1"),
        ("prx", 24, "dog", "bos 1 prompt 23"),
    ],
)
def test_prompt_beyond_the_length(tiny, name, words, cut, roles):
    """A template's end that a pipeline puts behind a cut prompt (Krea 2, LongCat) is still told from it."""
    prompt = " ".join(["cat"] * (words - 1) + ["dog"])
    with pytest.warns(UserWarning, match=f"cuts the prompt's end: '{cut}'"):
        (entry,) = padtone.token_roles(tiny(name), prompt, **text_pipelines.text_options(name))
    assert entry.cut == cut
    assert checks.runs(entry.roles) == roles
