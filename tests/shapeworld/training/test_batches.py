"""What the trainings are fed."""

import itertools
import random

import pytest
import torch
from accelerate import Accelerator

from shapeworld import check, models, sample_scenes
from shapeworld.training.batches import CaptionedPictures, LatentBatches
from shapeworld.training.rendering import (
    Crops,
    RandomNumbers,
    ScenePairs,
    ScenePictures,
    StepPictures,
    edge_crop,
    hard_negative,
    scene_batches,
    step_batches,
)
from shapeworld.training.run import Run
from shapeworld.training.settings import DenoiserStage, TrainingConfig


@pytest.mark.parametrize("objects", [1, 2])
def test_a_hard_negative_is_a_true_scene_and_another_one(objects):
    rng = random.Random(0)
    for scene in sample_scenes(30, seed=5, objects=objects):
        other = hard_negative(scene, rng)
        picture = other.render(128, 128)
        assert check(picture, other).correct
        assert not check(picture, scene).correct
        assert other.caption != scene.caption
        assert other.background == scene.background
        assert sorted(item.color for item in other.objects) == sorted(item.color for item in scene.objects)


def test_hard_negatives_are_of_every_kind():
    rng = random.Random(0)
    (scene,) = sample_scenes(1, seed=1, objects=2)
    others = [hard_negative(scene, rng) for _ in range(60)]
    kinds = {
        (
            other.relation != scene.relation,
            [item.color for item in other.objects] != [item.color for item in scene.objects],
            [item.shape for item in other.objects] != [item.shape for item in scene.objects],
        )
        for other in others
    }
    assert kinds == {(True, False, False), (False, True, False), (False, False, True)}


def test_clip_sees_what_its_processor_would_show_it():
    tokenizer = models.build_tokenizer(models.LONG_TEXT_LENGTH)
    processor = models.build_clip_processor(tokenizer)
    drawn = ScenePairs(4, models.CLIP_IMAGE_SIZE, noise=0.0)(random.Random(3))
    finish = CaptionedPictures(processor.image_processor, tokenizer)
    pictures, tokens = finish(drawn, torch.Generator().manual_seed(0))
    scenes = sample_scenes(4, seed=random.Random(3).getrandbits(60))
    shown = processor(
        text=[scene.caption for scene in scenes],
        images=[scene.render(64, 64) for scene in scenes],
        padding="max_length",
        return_tensors="pt",
    )
    assert torch.allclose(pictures[:4], shown["pixel_values"], atol=1e-5)
    length = tokens.shape[1]
    assert torch.equal(tokens[:4], shown["input_ids"][:, :length])


def test_crops_lie_on_an_edge():
    rng = random.Random(0)
    for _ in range(20):
        crop = edge_crop(32, rng)
        assert crop.shape == (32, 32, 3)
        assert len({tuple(pixel) for pixel in crop.reshape(-1, 3)}) > 1


def test_scenes_are_drawn_in_their_order():
    scenes = sample_scenes(5, seed=2)
    parts = list(scene_batches(ScenePictures(scenes, 32), 2, workers=0))
    assert [len(part) for part in parts] == [2, 2, 1]
    for picture, scene in zip(torch.cat(parts), scenes, strict=True):
        assert picture.numpy().tobytes() == scene.pixels(32, 32).tobytes()


@pytest.mark.slow
def test_a_worker_draws_what_this_process_draws():
    pictures = StepPictures(ScenePairs(2, 32, 0.1), RandomNumbers(seed=4), "contrast")
    here, there = (list(itertools.islice(step_batches(pictures, 3, workers), 2)) for workers in (0, 1))
    for (seed, (drawn, captions, noise)), (same_seed, (same, same_captions, same_noise)) in zip(
        here, there, strict=True
    ):
        assert torch.equal(drawn, same)
        assert (seed, captions, noise) == (same_seed, same_captions, same_noise)


def test_a_steps_pictures_depend_on_seed_stage_step_and_process():
    def drawn(seed=0, stage="autoencoder", step=3, process=0):
        number, crops = StepPictures(Crops(2), RandomNumbers(seed, process), stage)[step]
        return number, crops.numpy().tobytes()

    others = [drawn(seed=1), drawn(stage="another"), drawn(step=4), drawn(process=1)]
    assert drawn() == drawn()
    assert len({drawn(), *others}) == 5


class TestLatents:
    """A stage's latents, of an autoencoder that was not trained."""

    STAGE = DenoiserStage(pixels=32, scenes=6, images=4, batch=4)

    @pytest.fixture
    def run(self, tmp_path):
        return Run(TrainingConfig(name="unet"), tmp_path, workers=0)

    @pytest.fixture
    def latents(self, run):
        """Makes the batches of a stage by name."""
        torch.manual_seed(0)
        vae, tokenizer = models.build_vae(), models.build_tokenizer()
        return lambda name, **changes: LatentBatches(
            run, name, vae, tokenizer, self.STAGE.model_copy(update=changes)
        )

    def test_drawing_them_leaves_the_global_random_numbers_alone(self, latents):
        state = torch.get_rng_state()
        next(latents("stage1-32px")(0))
        assert torch.equal(torch.get_rng_state(), state)

    def test_a_later_stage_of_the_same_size_has_scenes_of_its_own_seed(self, latents):
        first, again, other = latents("stage1-32px"), latents("stage2-32px"), latents("stage3-32px", seed=1)
        assert torch.equal(first.tokens, again.tokens)
        assert torch.equal(first.latents, again.latents)
        assert not torch.equal(first.tokens, other.tokens)
        assert not torch.equal(first.latents, other.latents)

    def test_each_step_has_numbers_of_its_own_wherever_it_begins(self, latents):
        batches = latents("stage1-32px")
        steps = list(itertools.islice(batches(0), 3))
        for part, same, other in zip(steps[2], next(batches(2)), steps[1], strict=True):
            assert torch.equal(part, same)
            assert not torch.equal(part, other)

    def test_a_process_beside_others_may_have_a_numbered_cpu(self, run, latents, monkeypatch):
        monkeypatch.setattr(Accelerator, "device", torch.device("cpu", 0))
        assert next(latents("stage1-32px")(0))[0].shape == (4, 4, 8, 8)

    def test_they_are_encoded_once(self, latents, monkeypatch):
        before = latents("stage1-32px").latents
        monkeypatch.setattr("diffusers.AutoencoderKL.encode", None)
        assert torch.equal(latents("stage1-32px").latents, before)
