"""What goes into a picture beside the prompt: sampler, several seeds, start picture and mask, LoRA, ControlNet."""

from pathlib import Path
from urllib.parse import parse_qsl, urlencode

import pytest
from PIL import Image

from fouriscale.sampling.recipe import Recipe, read
from picturelab_ui.high_resolution import beside, from_picture, order, tab
from picturelab_ui.host import Host
from picturelab_ui.jobs.files import DIRECT, SCALED
from picturelab_ui.visitors import Visitor
from picturelab_ui.workshop import Workshop
from tests.picturelab.foreign.test_a1111 import THEIRS
from tests.ui.test_foreign_pictures import png


@pytest.fixture
def own(tmp_path):
    workshop = Workshop(Host.of(public=False, output=tmp_path / "output"))
    yield workshop
    workshop.runner.close()


@pytest.fixture
def start_image(own):
    file = own.folders.output / "start.png"
    file.parent.mkdir()
    Image.new("RGB", (64, 64), "red").save(file)
    return str(file)


@pytest.mark.parametrize(
    ("fields", "field", "sentence"),
    [
        ({"count": 0}, "count", "pictures=0: must be from 1 to 64"),
        ({"count": 65}, "count", "pictures=65: must be from 1 to 64"),
        ({"sampler": "Euler"}, "sampler", "sampler is 'Euler'; it can be the model's own, DDIM"),
        ({"strength": 0}, "strength", "strength=0: must be above 0 and at most 1"),
        ({"strength": None}, "strength", "strength=None: must be above 0"),
        ({"mask": "no.png"}, "mask", "needs a picture to start from"),
        ({"loras": "no/such.safetensors"}, "loras", "must be a .safetensors file that exists"),
        ({"control": "owner/name"}, "control", "give both or neither"),
        ({"control_image": "no.png"}, "control", "give both or neither"),
        ({"control_scale": 1000}, "control_scale", "from -100 to 100"),
        ({"start_image": "no.png"}, "start_image", "no.png cannot be read"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_what_is_wrong_is_said_at_its_field(own, fields, field, sentence):
    wrong = order.problems(own, order.start(own) | fields)
    assert list(wrong) == [field]
    assert sentence in wrong[field]


def test_a_start_picture_goes_with_any_model_and_no_cascade(own, start_image):
    started = order.start(own) | {"start_image": start_image}
    assert not order.problems(own, started)
    assert "with a cascade" in order.problems(own, started | {"cascade": True})["cascade_strength"]
    joint = from_model(own, "shapeworld/joint") | {"start_image": start_image}
    assert not order.problems(own, joint)
    assert "with a cascade" in order.problems(own, joint | {"cascade": True})["cascade_strength"]
    few = order.problems(own, started | {"steps": 1, "strength": 0.5})
    assert few["strength"].startswith("strength=0.5, steps=1: ")


def from_model(workshop, model):
    config = order.config_for_choice(workshop, model, order.AUTO)
    return order.start(workshop) | {"model": model} | order.to_fields(config)


def test_a_public_page_opens_no_files_of_its_host(workshop, values):
    for name, what in (("loras", "LoRAs"), ("control", "ControlNets")):
        wrong = order.problems(workshop, values | {name: "/etc/passwd"})
        assert wrong[name].endswith(f"a public page takes no {what} from its visitors")
    assert order.problems(workshop, values | {"count": 5}) == {"count": "pictures=5: must be from 1 to 4"}


def test_links_hold_all_but_files(own, start_image):
    values = order.start(own)
    changed = values | {"count": 3, "sampler": "DDIM", "strength": 0.3, "start_image": start_image}
    query = dict(parse_qsl(order.link(own, changed)))
    assert query.keys() == {"tab", "prompt", "count", "sampler", "strength"}
    assert order.of_link(own, query) == changed | {"start_image": None}
    stranger = dict(parse_qsl(urlencode({"start_image": '"/etc/passwd"', "mask": "/etc/passwd"})))
    assert order.of_link(own, stranger) == values


def test_a_foreign_sampler_is_taken(tmp_path):
    said = from_picture.of_foreign(from_picture.read_foreign(png(tmp_path / "a.png", parameters=THEIRS)))
    assert said["sampler"] in beside.SAMPLERS


@pytest.mark.slow
def test_several_pictures_from_a_start_picture_and_back_again(own, start_image, monkeypatch):
    mask = Path(start_image).with_name("mask.png")
    Image.new("L", (64, 64), "white").save(mask)
    values = order.start(own) | {
        "width": 64, "height": 64, "steps": 4, "strength": 0.5, "seed": 5, "count": 2,
        "sampler": "EulerDiscrete",
        "start_image": start_image, "mask": str(mask),
    }  # fmt: skip
    job = tab.submit(own, Visitor(), values)
    assert job.wait(120)
    assert job.error == ""
    assert [remark.partition(" is ")[2][:16] for remark in job.remarks] == ["white everywhere"]
    assert (job.done, job.of) == (8, 8)  # two seeds, two methods, two of four steps each
    made = [(Recipe.parse(read(one.path)), one.method) for one in job.result.pictures]
    assert [(recipe.seed, method) for recipe, method in made] == [
        (5, SCALED), (5, DIRECT), (6, SCALED), (6, DIRECT)
    ]  # fmt: skip
    assert {recipe.scheduler["class"] for recipe, _ in made} == {"EulerDiscreteScheduler"}
    pipe = own.models.pipeline("shapeworld/unet")
    assert type(pipe.scheduler).__name__ != "EulerDiscreteScheduler"  # put back
    again, said = from_picture.of_file(own, job.result.pictures[0].path, both=True)
    assert said == "Settings taken from the picture's recipe."
    for name in ("strength", "sampler", "start_image", "mask", "seed"):
        assert again[name] == values[name]
    mask.unlink()
    again, said = from_picture.of_file(own, job.result.pictures[0].path)
    assert again["start_image"] is None
    assert "mask.png is not here" in said


@pytest.mark.slow
def test_a_public_pages_recipe_names_files_without_their_folders(tmp_path):
    public = Workshop(Host(output=tmp_path / "output"))
    file = tmp_path / "output" / "start.png"
    file.parent.mkdir()
    Image.new("RGB", (64, 64), "red").save(file)
    values = order.start(public) | {"width": 64, "height": 64, "steps": 2, "start_image": str(file)}
    job = tab.submit(public, Visitor(), values | {"sampling": order.DIRECT})
    assert job.wait(120)
    assert job.error == ""
    (picture,) = job.result.pictures
    assert read(picture.path)["inputs"]["image"]["path"] == "start.png"
    again, said = from_picture.of_file(public, picture.path)
    assert again["start_image"] is None
    assert "a public page does not open: add them again" in said
    public.runner.close()
