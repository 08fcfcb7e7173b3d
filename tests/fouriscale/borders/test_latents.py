"""Inputs from pictures: the same each time, groups with nothing in common, and folders that are refused."""

import pytest
import torch
from diffusers import AutoencoderTiny, DDIMScheduler, StableDiffusionXLImg2ImgPipeline
from PIL import Image

from fouriscale.borders import GROUPS
from fouriscale.borders.folder import picture_files
from fouriscale.borders.latents import (
    Latents,
    Source,
    from_files,
    own_prompts,
    refuse_unmeasured,
)
from fouriscale.borders.measure import PREDICTION_TYPES
from tests.tiny import unet_pipelines as models


def source(count):
    """Pictures that differ in their grey alone."""
    return Source(("",) * count, lambda i: Image.new("RGB", (64, 48), (20 * i, 20 * i, 20 * i)))


def latents(family="SD", pictures=None):
    return Latents(models.pipeline(family), pictures or source(9), 3, (128, 128))


def test_every_picture_stays_in_its_group_and_comes_again_the_same():
    made = latents()
    first = list(made.batches((64, 64), count=16, most=2, rolled=False))
    assert [one.group for one in first] == list(range(GROUPS))
    for one in first:  # 16 inputs of 8 pictures: each twice, with noise of its own
        assert one.clean.shape == (2, 4, 8, 8)
        torch.testing.assert_close(one.clean[0], one.clean[1], rtol=0, atol=0)
        assert (one.noise[0] != one.noise[1]).any()
        assert one.call["encoder_hidden_states"].shape[0] == 2
    means = [float(one.clean.mean()) for one in first]
    assert len(set(means)) == GROUPS
    again = list(latents().batches((64, 64), count=16, most=2, rolled=False))
    assert all(torch.equal(a.noise, b.noise) for a, b in zip(first, again, strict=True))


def test_rolled_latents_are_the_same_places_elsewhere():
    made = latents(pictures=Source(("",) * 8, models.picture))
    plain = list(made.batches((64, 64), count=16, most=1, rolled=False))
    rolled = list(made.batches((64, 64), count=16, most=1, rolled=True, stride=2, repeats=2))
    assert len(rolled) == 2 * len(plain)
    for one, other in zip(plain, rolled[: len(plain)], strict=True):
        assert torch.equal(one.noise, other.noise)
        assert all(side % 2 == 0 for side in other.shift)
    first, again = rolled[0].clean, rolled[len(plain)].clean  # one picture, with another shift
    rolls = [first.roll((down, right), (-2, -1)) for down in range(8) for right in range(8)]
    assert sum(torch.equal(one, again) for one in rolls) == 1
    assert (rolled[0].noise != rolled[len(plain)].noise).any()
    assert len({other.shift for other in rolled}) > 4


def test_a_unet_of_sdxls_kind_is_told_the_training_size():
    one = next(latents("XL").batches((64, 64), count=16, most=2, rolled=False))
    added = one.call["added_cond_kwargs"]
    assert added["time_ids"].tolist() == [[128, 128, 0, 0, 128, 128]] * 2
    assert added["text_embeds"].shape == (2, 16)
    unet = models.parts("XL")["unet"]
    with torch.no_grad():
        assert unet(one.noised(0.5), 500, **one.call).sample.shape == one.clean.shape


def test_folders_of_pictures(tmp_path):
    for i in range(GROUPS):
        Image.new("RGB", (8, 8), (i, 0, 0)).save(tmp_path / f"{i}.PNG")
    (tmp_path / "notes.txt").write_text("no picture")
    files = picture_files(tmp_path)
    assert [file.name for file in files] == [f"{i}.PNG" for i in range(GROUPS)]
    assert from_files(files).picture(3).getpixel((0, 0)) == (3, 0, 0)
    (tmp_path / "7.PNG").unlink()
    with pytest.raises(
        ValueError, match=r"holds 7 pictures; give a folder with 8 or more that end in .png, "
    ):
        picture_files(tmp_path)
    with pytest.raises(ValueError, match="is no folder; give one that holds pictures"):
        picture_files(tmp_path / "absent")
    (tmp_path / "7.png").write_text("no picture")
    with pytest.raises(ValueError, match=r"7\.png is not a picture that can be read"):
        picture_files(tmp_path)


def test_prompts_are_the_worlds_or_take_turns():
    scenes = own_prompts("shapeworld/unet", 3, 1, ("unused",))
    assert len(set(scenes)) == 3
    assert own_prompts("owner/name", 3, 1, ("a cat", "a dog")) == ("a cat", "a dog", "a cat")


def test_pipelines_that_cannot_be_measured():
    def refused(**changes):
        pipe = models.pipeline("SD", **changes)
        refuse_unmeasured(pipe, pipe.unet, PREDICTION_TYPES)

    refused()
    with pytest.raises(
        ValueError, match="takes 9 channels and its VAE gives 4: borders are measured in text-to-"
    ):
        refused(unet=models.unet("SD", in_channels=9))
    with pytest.raises(ValueError, match="is a AutoencoderTiny: borders are measured with an AutoencoderKL"):
        refused(vae=AutoencoderTiny(encoder_block_out_channels=(4,) * 4, decoder_block_out_channels=(4,) * 4))
    with pytest.raises(
        ValueError, match="has prediction_type='flow': borders are measured in diffusion models with"
    ):
        refused(scheduler=DDIMScheduler.from_config(models.scheduler().config, prediction_type="flow"))
    refiner = models.pipeline("XL", StableDiffusionXLImg2ImgPipeline)
    refiner.register_to_config(requires_aesthetics_score=True)
    with pytest.raises(ValueError, match="is a refiner, which is told a score and begins with a picture"):
        refuse_unmeasured(refiner, refiner.unet, PREDICTION_TYPES)
    unet = models.unet("SD")
    for module in unet.modules():
        if isinstance(module, torch.nn.Conv2d):
            module.padding_mode = "circular"
    with pytest.raises(ValueError, match="has zeros beyond its border, so its padding tells nothing"):
        refused(unet=unet)


def test_the_encoders_own_border_is_not_rolled_with_a_picture():
    made = latents()
    plain = next(made.batches((64, 64), count=8, most=1, rolled=False)).clean
    rolled = next(made.batches((64, 64), count=8, most=1, rolled=True)).clean
    assert plain.flatten(-2).std(-1).min() > 1e-4  # one colour, and yet its edges differ
    assert rolled.flatten(-2).std(-1).max() < 1e-5
