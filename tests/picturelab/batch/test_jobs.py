import re

import pytest

from picturelab.batch.jobs import Job, parse


def test_a_job_and_its_defaults():
    job = parse({"prompt": "a", "size": "384x256"}, 7)
    assert (job.id, job.file, job.height, job.width, job.seed) == ("7", "7.png", 256, 384, 0)
    assert (job.model, job.instrument, job.keep) == ("shapeworld/unet", "fouriscale", None)
    assert parse({"prompt": "a", "keep": "padding"}, 1).instrument == "padtone"


def test_text_becomes_numbers_as_csv_needs():
    row = {
        "prompt": "a",
        "height": "64",
        "width": "128",
        "seed": "3",
        "guidance": "2.5",
        "config": '{"stop": 0.5}',
    }
    job = parse(row | {"lora": "a.safetensors@0.5"}, 1)
    assert (job.height, job.width, job.seed, job.guidance) == (64, 128, 3, 2.5)
    assert (job.config, job.lora) == ({"stop": 0.5}, ("a.safetensors@0.5",))


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({}, "prompt is missing"),
        (
            {"prompt": "a", "colour": "red"},
            "there is no key 'colour'; keys are a1111, cascade, cascade_strength, cascade_upsampling, config",
        ),
        ({"prompt": "a", "size": "64"}, "size '64' is not understood: give WIDTHxHEIGHT"),
        ({"prompt": "a", "size": "64x64", "width": 64}, "size is '64x64' beside height or width"),
        ({"prompt": "a", "height": 64}, "height is 64 and width is None; give both"),
        ({"prompt": "a", "seed": -1}, "seed is -1: must be a whole number from 0 to 9223372036854775807"),
        ({"prompt": "a", "steps": 1.5}, "steps is 1.5: must be a whole number from 1 to 1000"),
        ({"prompt": "a", "guidance": float("nan")}, "guidance is nan: must be a number from 0 to 1000"),
        ({"prompt": "a", "id": "../a"}, "id is '../a': it names the file"),
        ({"prompt": "a", "id": "sheet"}, "is not 'sheet'"),
        ({"prompt": "a", "id": "a" * 201}, "it is 1 to 200 letters"),
        ({"prompt": "a", "id": "a\x1b"}, "id is 'a\\x1b': it names the file"),
        (
            {"prompt": "a", "id": "NUL"},
            "id is 'NUL': it names the file, and Windows has no files named con, prn",
        ),
        ({"prompt": "a", "id": "com1.x"}, "Windows has no files named"),
        ({"prompt": "a\0"}, "prompt is 'a\\x00': its letter 2 is '\\x00', which is no text"),
        ({"prompt": "a", "negative_prompt": "\ud83d"}, "its letter 1 is '\\ud83d', which is no text"),
        ({"prompt": "a", "image": "a\0.png"}, "image is 'a\\x00.png': its letter 2 is"),
        ({"prompt": "a" * 10_001}, "prompt has 10,001 letters: must be at most 10,000"),
        ({"prompt": "a", "steps": 1001}, "steps is 1001: must be a whole number from 1 to 1000"),
        ({"prompt": "a", "size": "99999x64"}, "width is 99999: must be a whole number from 8 to 32768"),
        ({"prompt": "a", "Promt": "b"}, "there is no key 'Promt' (did you mean 'prompt'?); keys are"),
        ({"prompt": "a", "config": "{“stop”: 1}"}, "JSON takes straight quotes"),
        ({"prompt": "a", "config": "stop"}, "config is 'stop': it is a mapping of settings"),
        ({"prompt": "a", "keep": "padding", "image": "a.png"}, "keep is 'padding' beside image"),
        ({"prompt": "a", "keep": "padding", "preset": "sd15"}, "keep is 'padding' beside preset"),
        ({"prompt": "a", "preset": "none", "config": {"stop": 1}}, "config is given beside preset 'none'"),
        ({"prompt": 3, "seed": "x"}, "prompt is 3: must be text; seed is 'x': must be a whole number from 0"),
    ],
)
def test_what_is_wrong_is_said(row, said):
    with pytest.raises(ValueError, match=re.escape(said)) as caught:
        parse(row, 1)
    assert "\n" not in str(caught.value)


def test_a_cascade_out_of_a_spreadsheet():
    job = parse(
        {"prompt": "a", "cascade": "TRUE", "cascade_strength": "0.5", "cascade_upsampling": "latents"}, 1
    )
    assert (job.cascade, job.cascade_strength, job.cascade_upsampling) == (True, 0.5, "latents")
    assert parse({"prompt": "a", "cascade": "no"}, 1).cascade is False
    for row, said in (
        ({"cascade": "perhaps"}, "cascade is 'perhaps': "),
        ({"cascade_strength": "much"}, "cascade_strength is 'much': "),
        ({"cascade": True, "keep": "padding"}, "keep is 'padding' beside cascade"),
        ({"cascade_strength": 0.0, "keep": "padding"}, "keep is 'padding' beside cascade_strength; "),
        ({"cascade_upsampling": "pixels", "keep": "full"}, "keep is 'full' beside cascade_upsampling; "),
        ({"strength": 0.5, "keep": "full"}, "keep is 'full' beside strength; "),
    ):
        with pytest.raises(ValueError, match=re.escape(said)):
            parse({"prompt": "a"} | row, 1)


def test_jobs_without_a_cascade_are_grouped_as_ever():
    assert "cascade" not in parse({"prompt": "a"}, 1).alike()
    assert parse({"prompt": "a", "cascade": True}, 1).alike() != parse({"prompt": "a"}, 1).alike()


def test_alike_is_all_but_id_prompt_seed_and_arm():
    job = Job(id="1", prompt="a", height=64, width=64)
    assert job.alike() == job.model_copy(update={"id": "2", "prompt": "b", "seed": 9}).alike()
    arm = job.model_copy(update={"keep": "full"})
    assert arm.alike() == job.model_copy(update={"keep": "padding"}).alike()
    for change in (
        {"height": 128},
        {"steps": 3},
        {"config": {"stop": 0.5}},
        {"negative_prompt": "b"},
        {"keep": "full"},
    ):
        assert job.alike() != job.model_copy(update=change).alike()


def test_names_of_devices_stand_alone():
    assert parse({"prompt": "a", "id": "console"}, 1).id == "console"
    assert parse({"prompt": "a\tb\r\nc"}, 1).prompt == "a\tb\r\nc"
