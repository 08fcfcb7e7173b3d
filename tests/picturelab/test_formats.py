"""Pictures in every format: what they carry, what they have no room for, and damaged ones."""

import io

import pytest
from PIL import Image

from picturelab import recipes
from picturelab.bounds import PROMPT_LETTERS
from picturelab.embedded import comment_text, encoded, texts_of
from picturelab.files import output_file
from picturelab.foreign.pictures import foreign_settings
from picturelab.formats import FORMATS, JPEG, PNG, WEBP, check_quality, check_room, format_of, named_format

SUFFIXES = (".png", ".webp", ".jpg")
RECIPE = {"prompt": 'a <red> & "blue" 红 \U0001f600\x07\x7f\ud800\n]]>', "seed": 2**63 - 1, "note": None}


@pytest.fixture
def image():
    return Image.linear_gradient("L").resize((48, 32)).convert("RGB")


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_recipe_of_any_letters_survives(tmp_path, image, suffix):
    path = tmp_path / f"a{suffix}"
    recipes.save(image, path, RECIPE, "fouriscale", parameters="a cat\nSteps: 1, Seed: 2, Size: 8x8")
    assert recipes.read(path, "fouriscale", "fouriscale") == RECIPE
    carried = texts_of(path)
    assert (carried.height, carried.width) == (32, 48)
    assert carried.texts["parameters"] == "a cat\nSteps: 1, Seed: 2, Size: 8x8"
    with Image.open(path) as again:
        assert format_of(path).title.upper() == again.format
        assert again.size == image.size


def test_quality_decides_the_size_of_a_lossy_file(image):
    for kind in (WEBP, JPEG):
        least, usual, most = (len(encoded(image, kind, quality=quality)) for quality in (1, None, 100))
        assert least < usual < most
        assert usual == len(encoded(image, kind, quality=90))


def test_other_programs_may_write_the_packet_anew(tmp_path, image):
    """With properties as attributes, and our prefix as another one."""
    packet = (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        '<rdf:Description xmlns:other="urn:fouriscale-padtone:picture" other:fouriscale="{&quot;seed&quot;: 7}"/>'
        "</rdf:RDF></x:xmpmeta>"
    )
    image.save(tmp_path / "a.jpg", xmp=packet.encode())
    assert recipes.read(tmp_path / "a.jpg", "fouriscale", "fouriscale") == {"seed": 7}


@pytest.mark.parametrize(
    "packet",
    [
        b"<",
        b"\xff\xfe<\0",
        b'<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><x xmlns:f="urn:fouriscale-padtone:picture">&b;</x>',
        b"<x>" * 20_000,
        b'<x xmlns:f="urn:fouriscale-padtone:picture">&#0;</x>',
    ],
    ids=["begun", "utf-16", "entities", "deep", "zero"],
)
def test_a_damaged_packet_is_none(tmp_path, image, packet):
    image.save(tmp_path / "a.webp", xmp=packet)
    with pytest.raises(ValueError, match="carries no recipe"):
        recipes.read(tmp_path / "a.webp", "fouriscale", "fouriscale")


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_file_that_is_cut_off_is_one_sentence_or_read(tmp_path, image, suffix):
    whole = encoded(image, format_of(f"a{suffix}"), recipe=("fouriscale", '{"seed": 7}'), parameters="a cat")
    path = tmp_path / f"a{suffix}"
    for length in range(0, len(whole), 29):
        path.write_bytes(whole[:length])
        try:
            values = recipes.read(path, "fouriscale", "fouriscale")
        except ValueError as error:
            assert str(error).startswith(str(path))  # noqa: PT017 (some lengths suffice)
        else:
            assert values == {"seed": 7}
    path.write_bytes(whole)
    assert recipes.read(path, "fouriscale", "fouriscale") == {"seed": 7}


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_bytes_that_are_changed_are_one_sentence_or_read(tmp_path, image, suffix):
    whole = encoded(image, format_of(f"a{suffix}"), recipe=("fouriscale", '{"seed": 7}'), parameters="a cat")
    path = tmp_path / f"a{suffix}"
    for place in range(0, min(len(whole), 1500), 31):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        try:
            carried = recipes.open_texts(path, "fouriscale")
            foreign_settings(path, carried)
            recipes.recipe_of(path, carried, "fouriscale", "fouriscale")
        except ValueError as error:
            assert str(error).startswith(str(path))  # noqa: PT017 (pixels may be changed without a trace)


def test_prompts_of_the_longest_kind_have_room_or_are_refused(image):
    text = "\u7ea2" * PROMPT_LETTERS  # three bytes each
    check_room(JPEG, 8, 8, text, None)
    recipe = ("fouriscale", f'{{"prompt": "{text}"}}')
    content = io.BytesIO(encoded(image, JPEG, recipe=recipe, parameters=text * 4))
    assert set(texts_of(content).texts) == {"fouriscale"}  # for the other text there is no room
    with pytest.raises(
        ValueError, match=r"the prompts have 60,000 bytes, and a JPEG's recipe has room for 45,000"
    ):
        check_room(JPEG, 8, 8, text, text)
    check_room(WEBP, 8, 8, text, text)
    content = io.BytesIO(encoded(image, WEBP, recipe=("fouriscale", text * 2), parameters=text * 2))
    assert texts_of(content).texts == {"fouriscale": text * 2, "parameters": text * 2}


def test_sides_have_a_longest(image):
    check_room(WEBP, 16_383, 8)
    with pytest.raises(
        ValueError, match=r"height 16384 is too large for WebP, whose sides have 16,383 pixels"
    ):
        check_room(WEBP, 16_384, 8)
    check_room(PNG, 32_768, 65_536)


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: named_format("gif"), r"format='gif': must be png, webp or jpeg$"),
        (lambda: named_format(None), r"format=None: must be png"),
        (lambda: check_quality(PNG, 90), r"quality is 90, and PNG keeps pixels as they are"),
        (lambda: check_quality(WEBP, 0), r"quality=0: must be a whole number from 1 to 100"),
        (lambda: check_quality(JPEG, 101), r"quality=101: must be a whole number from 1 to 100"),
        (
            lambda: format_of("a.gif"),
            r"a\.gif: pictures are written as PNG, WebP or JPEG, so name a file that ends in",
        ),
        (lambda: format_of("a"), r"ends in \.png, \.webp, \.jpg or \.jpeg$"),
    ],
)
def test_what_is_refused(call, sentence):
    with pytest.raises(ValueError, match=sentence):
        call()


def test_the_file_follows_the_format_and_its_name(tmp_path):
    every = tuple(FORMATS.values())
    assert output_file(tmp_path, "b", every) == tmp_path / "b.png"
    assert output_file(tmp_path, "b", every, JPEG) == tmp_path / "b.jpg"
    assert output_file(tmp_path / "a.JPEG", "b", every) == tmp_path / "a.JPEG"
    assert output_file(tmp_path / "a.jpeg", "b", every, JPEG) == tmp_path / "a.jpeg"
    with pytest.raises(ValueError, match=r"a\.webp is named as WebP, and the format is to be 'jpeg'"):
        output_file(tmp_path / "a.webp", "b", every, JPEG)


@pytest.mark.parametrize(
    ("comment", "text"),
    [
        (b"UNICODE\0" + "Steps: 1, 红".encode("utf-16-be"), "Steps: 1, 红"),
        (b"UNICODE\0" + "Steps: 1, 红".encode("utf-16-le"), "Steps: 1, 红"),
        (b"UNICODE\0" + "Steps: 1, 红".encode("utf-16"), "Steps: 1, 红"),
        (b"UNICODE\0" + "Steps: 1, 红".encode(), "Steps: 1, 红"),
        (b"UNICODE\0" + "红绿".encode("utf-16-be"), "红绿"),
        (b"ASCII\0\0\0Steps: 1\0\0", "Steps: 1"),
        (bytes(8) + "Steps: 1, 红".encode(), "Steps: 1, 红"),
        (b"Steps: 1, Seed: 2", "Steps: 1, Seed: 2"),
        (b"JIS\0\0\0\0\0" + "Steps: 1".encode("iso2022_jp"), "Steps: 1"),
        (b"UNICODE\0\0a\0b\0", "ab"),  # half a letter at the end
        (b"UNICODE\0", ""),
        (b"\xff\xfe\xff", "\ufffd"),
    ],
)
def test_user_comments_say_their_letters_in_several_ways(comment, text):
    assert comment_text(comment) == text
