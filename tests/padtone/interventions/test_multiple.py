"""Text trimmed to a multiple of so many rows: the images of the larger `keep`, in as many rows."""

import pytest
import torch

import padtone
from tests.tiny import text_pipelines
from tests.tiny.denoiser_calls import call_of
from tests.tiny.padding_checks import keys

PROMPT, OTHER = "a red cat", "a large green dog sitting under a big old tree"


def tokens(pipe, name, prompt):
    """Tokens of the last encoder that are no padding."""
    roles = padtone.token_roles(pipe, prompt, **text_pipelines.text_options(name))[-1].roles
    return len(roles) - roles.count("padding")


@pytest.mark.parametrize("keep", [0, 3])
@pytest.mark.parametrize("name", ["sd1", "sdxl", "flux", "flux2", "cogview4"])
def test_it_equals_the_larger_keep(tiny, name, keep):
    pipe, larger = tiny(name), keep + 4
    length = tokens(pipe, name, PROMPT) + larger
    whole = keys(pipe, name) - call_of(pipe, name, PROMPT).text_rows  # the image's, in joint attention
    with padtone.trim_padding(pipe, keep=keep, to_multiple=length):
        rounded = call_of(pipe, name, PROMPT)
        assert keys(pipe, name) - whole == length
    with padtone.trim_padding(pipe, keep=larger):
        by_hand = call_of(pipe, name, PROMPT)
    assert torch.equal(rounded.result, by_hand.result)


def test_a_batch_goes_by_its_longest_prompt(tiny):
    pipe = tiny("flux")
    larger = -tokens(pipe, "flux", OTHER) % 8
    with padtone.trim_padding(pipe, to_multiple=8):
        rounded = text_pipelines.run(pipe, "flux", [PROMPT, OTHER], (0, 1))
    with padtone.trim_padding(pipe, keep=larger):
        by_hand = text_pipelines.run(pipe, "flux", [PROMPT, OTHER], (0, 1))
    assert larger > 0
    assert torch.equal(rounded, by_hand)


def test_a_multiple_beyond_the_padding_keeps_all_of_it(tiny):
    pipe = tiny("flux")
    stock = keys(pipe, "flux")
    with padtone.trim_padding(pipe, to_multiple=1000):
        assert keys(pipe, "flux") == stock


@pytest.mark.parametrize(
    ("name", "to_multiple", "sentence"),
    [
        ("flux", 0, "to_multiple is 0; it is a number of rows of text, 1 or more"),
        ("flux", "128", "to_multiple is '128'; it is a number"),
        ("sd3", 8, "to_multiple is 8, and the rows of Stable Diffusion 3's text are not the tokens"),
        ("sana", 8, "to_multiple is 8, and the rows of Sana's text are not the tokens"),
    ],
)
def test_what_cannot_be_rounded_is_refused(tiny, name, to_multiple, sentence):
    with pytest.raises(ValueError, match=sentence):
        padtone.trim_padding(tiny(name), to_multiple=to_multiple).__enter__()


def test_another_multiple_is_another_thing(tiny):
    pipe = tiny("flux")
    with (
        padtone.trim_padding(pipe, to_multiple=8),
        pytest.raises(ValueError, match="trimmed with keep=0, to_multiple=8 already"),
    ):
        padtone.trim_padding(pipe).__enter__()
