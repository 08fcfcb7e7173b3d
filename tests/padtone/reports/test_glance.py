"""The one picture that explains a verdict."""

import numpy as np
import pytest
from PIL import Image

from padtone.audit.run import Audit
from padtone.audit.settings import AuditSettings
from padtone.reports import glance as room
from padtone.reports.glance import ROWS, glance
from tests.tiny import painters


def judge(image, i):
    return {"background correct": float(i < 2), "objects correct": 0.0, "all correct": 0.0}


@pytest.fixture(scope="module")
def audits(tmp_path_factory):
    """{with a judge: (content of report.json, folder)} of a built model that is used in diffusion."""
    found = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("padtone.families.registry._REGISTERED", dict(painters.FAMILIES))
        for judged in (False, True):
            settings = AuditSettings("register", "tiny", painters.PROMPTS, batch=16, keeps=(0,), looks=1)
            folder = tmp_path_factory.mktemp("audit") / "a"
            audit = Audit(painters.build("register"), settings, folder, judge if judged else None)
            audit.paint()
            found[judged] = audit.results(painters.clip()), audit.run_folder
    return found


def test_shares_of_none_keep_their_doubt(audits):
    """Of 6 prompts, by Wilson: 3.8415 / (6 + 3.8415)."""
    figures = audits[True][0]["arms"]["ite"]["full"]["objects correct"]
    assert (figures["mean"], figures["low"], figures["high"]) == (0, 0, pytest.approx(0.3903, abs=1e-4))


def colours(sheet):
    return {tuple(colour) for colour in np.asarray(sheet).reshape(-1, 3)}


def rgb(code):
    return tuple(int(code[i : i + 2], 16) for i in (1, 3, 5))


@pytest.mark.slow
def test_right_and_wrong_are_marked_where_somebody_judges(audits):
    plain, marked = (glance(*audits[judged], judge if judged else None) for judged in (False, True))
    assert plain.width == marked.width
    assert marked.height - plain.height == len(ROWS) * room._STRIP
    assert {rgb(room._YES), rgb(room._NO)} <= colours(marked)
    assert not {rgb(room._YES), rgb(room._NO)} & colours(plain)


@pytest.mark.slow
def test_the_pictures_are_those_of_the_arms(audits):
    results, folder = audits[False]
    sheet = np.asarray(glance(results, folder, None)).astype(int)
    for row, arm in enumerate(ROWS):
        for column in (0, 3):
            top = room._TOP + row * (room._SIDE + room._GAP)
            left = room._LEFT + column * (room._SIDE + room._GAP)
            shown = sheet[top : top + room._SIDE, left : left + room._SIDE]
            image = folder.picture(f"{arm.replace(' ', '-')}/p{column:03}-s0.png")
            scaled = image.resize((room._SIDE, room._SIDE), Image.Resampling.LANCZOS)
            assert (shown == np.asarray(scaled)).all()


@pytest.mark.slow
def test_an_arm_without_pictures_and_a_family_without_idp(audits):
    results, folder = audits[False]
    fewer = results | {"arms": results["arms"] | {"idp": {}}}
    whole, without = (glance(content, folder, None).height for content in (results, fewer))
    assert whole - without == room._SIDE + room._GAP
    left_out = [{"prompt": 0, "text": "a red circle", "arms": ["ite padding"], "why": "no reason"}]
    sheet = np.asarray(glance(results | {"left_out": left_out}, folder, None))
    top = room._TOP + 2 * (room._SIDE + room._GAP)
    corner = sheet[top + 40 : top + room._SIDE, room._LEFT : room._LEFT + room._SIDE]
    assert (corner == 255).all()


@pytest.mark.slow
def test_a_damaged_picture_is_one_sentence(audits, tmp_path):
    results, folder = audits[False]
    path = folder.folder / "images" / "ite-padding" / "p000-s0.png"
    content = path.read_bytes()
    path.write_bytes(content[:40])
    with pytest.raises(ValueError, match=r"p000-s0.png cannot be read; the same command makes it again"):
        glance(results, folder, None)
    path.write_bytes(content)
