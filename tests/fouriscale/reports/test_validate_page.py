"""The page of a validation, from figures and pictures made by hand."""

import base64
import io
import re

import numpy as np
import pytest
from PIL import Image

from fouriscale.reports.validate_page import write_page

RED, BLUE = (255, 0, 0), (0, 0, 255)


def framed(width, height):
    """Blue, with a red rectangle in the middle that takes half of each side."""
    image = Image.new("RGB", (width, height), BLUE)
    image.paste(RED, (width // 4, height // 4, width - width // 4, height - height // 4))
    return image


def figures(**more):
    return {"pictures": 1, "out_of_memory": 0, "seconds": 1.25, "peak_bytes": 3_000_000_000} | more


@pytest.fixture
def results(tmp_path):
    """One size, one prompt; the direct picture is there, and FouriScale's did not fit into memory."""
    (tmp_path / "images").mkdir()
    framed(800, 400).save(tmp_path / "images" / "direct.png")
    at = {"height": 400, "width": 800, "prompt": 0}
    return {
        "settings": {
            "model": "owner/<name>",
            "prompts": ["a cat & a dog"],
            "steps": 20,
            "guidance": 7.5,
            "precision": "float16",
            "device": "cuda (a card)",
            "config": {"mode": "paper"},
            "further": {},
        },
        "versions": {"torch": "2.9"},
        "sizes": [
            {
                "height": 400,
                "width": 800,
                "direct": figures(),
                "FouriScale": figures(pictures=0, out_of_memory=1, seconds=None, peak_bytes=None)
                | {"time_ratio": None, "memory_ratio": None},
                "time_ratio": None,
                "memory_ratio": None,
            }
        ],
        "images": [
            {"method": "direct", "file": "images/direct.png", **at},
            {"method": "FouriScale", "file": None, **at},
        ],
    }


def pictures(page):
    """The page's pictures, in order."""
    return [
        Image.open(io.BytesIO(base64.b64decode(content))).convert("RGB")
        for content in re.findall(r"data:image/webp;base64,([\w+/=]+)", page)
    ]


def test_a_picture_is_shown_whole_and_its_middle_pixel_for_pixel(results, tmp_path):
    assert write_page(results, tmp_path) == tmp_path / "report.html"
    whole, middle = pictures((tmp_path / "report.html").read_text())
    assert whole.size == (384, 192)
    # Half of the shorter side, cut from the middle: 200 x 200 of the red half, and not made smaller.
    assert middle.size == (200, 200)
    assert np.abs(np.asarray(middle, int) - RED).max() < 12
    assert np.abs(np.asarray(whole, int)[4, 4] - BLUE).max() < 12


def test_the_middle_is_256_pixels_at_most(results, tmp_path):
    framed(1600, 1200).save(tmp_path / "images" / "direct.png")
    write_page(results, tmp_path)
    assert [image.size for image in pictures((tmp_path / "report.html").read_text())] == [
        (384, 288),
        (256, 256),
    ]


def test_figures_and_what_did_not_fit_are_said(results, tmp_path):
    page = write_page(results, tmp_path).read_text()
    assert page.count("<p>out of memory</p>") == 2  # whole and middle
    assert "</b>: out of memory: 1 of FouriScale." in page
    cells = re.findall(r'<td class="n">([^<]*)</td>', page)
    none = "\N{EN DASH}"
    assert cells == ["1", "0", "1.25", none, "3.00", none, "0", "1", none, none, none, none]
    assert "20 steps, guidance 7.5, float16 on cuda (a card)" in page
    assert "what torch allocates on the device" in page


def test_modes_stand_side_by_side(results, tmp_path):
    results["settings"]["further"] = {"FouriScale fast": {"mode": "fast"}}
    size, at = results["sizes"][0], results["images"][0]
    size["FouriScale"] = figures(time_ratio=1.3, memory_ratio=1.5)
    size["FouriScale fast"] = figures(time_ratio=0.544, memory_ratio=1.0)
    results["images"] = [at, at | {"method": "FouriScale"}, at | {"method": "FouriScale fast"}]
    page = write_page(results, tmp_path).read_text()
    assert (
        "paper mode took 1.30 times as long as direct sampling and 1.50 times the memory; "
        "fast mode took 0.54 times as long as direct sampling and 1.00 times the memory."
    ) in page
    captions = ["direct", "paper mode", "fast mode"]
    assert re.findall("<figcaption>([^<]*)", page) == captions + [f"{name}, the middle" for name in captions]
    assert re.findall(r"<td>((?:direct|\w+ mode))</td>", page) == captions
    assert re.findall("repeat\\((.), 1fr", page) == ["3", "3"]  # wide and narrow screens
    assert len(pictures(page)) == 6


def test_names_are_text_not_markup(results, tmp_path):
    page = write_page(results, tmp_path).read_text()
    assert "owner/&lt;name&gt;" in page
    assert "a cat &amp; a dog" in page
    assert "<name>" not in page


def test_a_judged_world_has_its_columns(results, tmp_path):
    size = results["sizes"][0]
    size["direct"] |= {"repeated": 1, "correct": 0}
    size["FouriScale"] |= {"repeated": 0, "correct": 0}
    results["images"][0] |= {"repeated": True, "correct": False}
    page = write_page(results, tmp_path).read_text()
    assert '<th class="n">repeated</th><th class="n">correct</th>' in page
    assert "<figcaption>direct, repeated</figcaption>" in page
    assert "repeated: 1 of 1 direct, 0 of 0 with FouriScale" in page
