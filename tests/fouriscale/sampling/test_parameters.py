"""Recipes in A1111's words."""

from pathlib import Path

import pytest

from fouriscale.sampling.parameters import parameters_of
from fouriscale.sampling.recipe import Conditioning, Control, File, Lora, Recipe, read
from picturelab.foreign.a1111 import parse
from picturelab.foreign.a1111 import read as read_a1111

OLD = Path(__file__).parent / "data" / "fast-at-438a06a.png"


@pytest.fixture
def recipe():
    return Recipe.parse(read(OLD))


def said(recipe, **changes):
    return parse(parameters_of(recipe.model_copy(update=changes)))[2]


def test_a_recipe(recipe):
    assert said(recipe) == {
        "Steps": "8", "Sampler": "DDIM", "CFG scale": "4", "Seed": "5", "Size": "192x192", "Model": "shapeworld/unet",
        "RNG": "CPU", "FouriScale": "fast", "Software": "fouriscale-padtone 0.1.0",
    }  # fmt: skip
    assert said(recipe, config=None)["FouriScale"] == "no"
    assert said(recipe, model="/models/sd15, v1.safetensors")["Model"] == "sd15, v1"


@pytest.mark.parametrize(
    ("scheduler", "words"),
    [
        (("EulerAncestralDiscreteScheduler", {}), {"Sampler": "Euler a"}),
        (
            ("DPMSolverMultistepScheduler", {"use_karras_sigmas": True}),
            {"Sampler": "DPM++ 2M", "Schedule type": "Karras"},
        ),
        (
            ("DPMSolverMultistepScheduler", {"algorithm_type": "sde-dpmsolver++"}),
            {"Diffusers scheduler": "DPMSolverMultistep"},
        ),
        (("IPNDMScheduler", {}), {"Diffusers scheduler": "IPNDM"}),
    ],
)
def test_schedulers_have_a1111s_name_or_a_key_of_ours(recipe, scheduler, words):
    now = said(recipe, scheduler=dict(zip(("class", "config"), scheduler, strict=True)))
    names = ("Sampler", "Schedule type", "Diffusers scheduler")
    assert {name: now[name] for name in names if name in now} == words


def test_what_a1111_has_no_words_for_is_named_under_keys_of_ours(recipe):
    file = File(path="in/start.png", sha256="0")
    inputs = Conditioning(
        image=file,
        strength=0.75,
        mask=File(path="in/mask.png", sha256="0"),
        controls=[Control(model="nets/a, b", revision=None, picture=file, scale=1)],
        loras=[Lora(file=File(path="loras/winter.safetensors", sha256="0"), scale=0.8)],
    )
    changed = recipe.model_copy(update={"inputs": inputs, "cascade": {"strength": 0.5}})
    found = read_a1111(parameters_of(changed))
    assert found.settings["prompt"] == "a small red square on a white background <lora:winter:0.8>"
    expected = {
        "Denoising strength": "0.75", "Mask": "mask.png", "ControlNets": "nets/a, b", "FouriScale cascade": "0.5",
    }  # fmt: skip
    assert found.others.items() >= expected.items()


def test_a_prompt_that_would_be_misread_has_no_text(recipe):
    assert parameters_of(recipe.model_copy(update={"prompt": "Negative prompt: x"})) is None
