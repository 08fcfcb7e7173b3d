"""What the trainings are fed."""

import random

import pytest
import torch

from shapeworld import check, models, sample_scenes
from shapeworld.training.batches import CaptionedPictures, edge_crop, hard_negative
from shapeworld.training.stages import ContrastStage


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
    stage = ContrastStage(images=8, batch=8, noise=0.0)
    batches = CaptionedPictures(processor.image_processor, tokenizer, stage)
    pictures, tokens = batches(random.Random(3), torch.Generator().manual_seed(0))
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
