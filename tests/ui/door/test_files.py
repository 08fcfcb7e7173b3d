"""Names of files: what they stand for, what they never stand for, and how a file is served."""

import pytest
from starlette.testclient import TestClient

from picturelab_ui.door.files import NamedFiles


@pytest.fixture
def files(tmp_path):
    return NamedFiles(tmp_path, lambda path: None)


@pytest.fixture
def get(files):
    async def app(scope, receive, send):
        await files.serve(scope["path"][1:], scope, receive, send)

    client = TestClient(app)
    return lambda name: client.get(f"/{name}")


def write(folder, name, content=b"<script>document.title = 1</script>"):
    (folder / name).write_bytes(content)
    return folder / name


@pytest.mark.parametrize(
    "ending",
    ["html", "HTML", "htm", "xhtml", "svg", "SVG", "xml", "xsl", "pdf", "js", "mjs", "css", "json", "txt", "mhtml",
     "swf", "gif", "ico", "png.html", "html.gif", "wasm", "zip", "unknown"],
)  # fmt: skip
def test_nothing_but_pictures_is_shown_in_the_browser(files, get, tmp_path, ending):
    for name in (f"a.{ending}", "without_ending"):
        for is_upload in (False, True):
            answer = get(files.name(write(tmp_path, name), is_upload=is_upload))
            assert answer.status_code == 200
            assert answer.headers["content-disposition"].startswith("attachment")
            assert answer.headers["content-type"] == "application/octet-stream"


@pytest.mark.parametrize("name", ["a.png", "a.PNG", "a.html.png", "a.jpg", "a.webp"])
def test_our_own_pictures_are_shown_and_uploaded_ones_are_not(files, get, tmp_path, name):
    shown = get(files.name(write(tmp_path, name)))
    assert shown.headers["content-disposition"].startswith("inline")
    assert shown.headers["content-type"].startswith("image/")
    uploaded = get(files.name(write(tmp_path, f"uploaded-{name}"), is_upload=True))
    assert uploaded.headers["content-disposition"].startswith("attachment")


def test_a_name_cannot_be_guessed_and_stays_the_same(files, tmp_path):
    one, other = write(tmp_path, "a.png"), write(tmp_path, "b.png")
    name = files.name(one)
    assert files.name(one) == name
    assert len(name.split("/")[1]) >= 22  # 128 bits
    assert files.path(name) == one
    assert str(tmp_path) not in name
    assert name.split("/")[1] not in files.name(other)


@pytest.mark.parametrize(
    "change", [str.upper, lambda n: n[:-1], lambda n: n + "x", lambda n: "/" + n, lambda n: ""]
)
def test_another_name_stands_for_nothing(files, get, tmp_path, change):
    name = files.name(write(tmp_path, "a.png"))
    assert files.path(change(name)) is None
    for path in (write(tmp_path, "b.png"), "etc/passwd", "https://example.org/a.png", "files/a/../../b.png"):
        assert get(str(path)).status_code == 403


def test_files_outside_the_output_folder_and_those_that_have_gone_are_not_served(files, get, tmp_path):
    assert files.name("/etc/passwd") == "passwd"
    assert get("passwd").status_code == 403
    file = write(tmp_path, "a.png")
    name = files.name(file)
    file.unlink()
    assert get(name).status_code == 403


def test_answers_name_files_and_requests_are_read_back(files, tmp_path):
    file = write(tmp_path, "a.png")
    url = f"http://host/gradio_api/file={file}"
    answer = {
        "output": {"data": [[{"image": {"path": str(file), "url": url, "orig_name": "a.png"}}], 3, None]}
    }
    ((gallery, *others),) = [files.outward(answer)["output"]["data"]]
    image = gallery[0]["image"]
    assert str(tmp_path) not in str(image)
    assert image["url"] == f"http://host/gradio_api/file={image['path']}"
    assert others == [3, None]
    asked = files.inward({"data": [image | {"meta": {"_type": "gradio.FileData"}}]})
    assert asked["data"][0]["path"] == str(file)
    assert "url" not in asked["data"][0]
    for strange in (str(file), "files/x/a.png", "http://example.org"):
        with pytest.raises(ValueError, match=r"there is no file .* here: upload it first"):
            files.inward({"data": [{"path": strange}]})


def test_the_names_that_are_used_least_are_forgotten(files, get, tmp_path, monkeypatch):
    monkeypatch.setattr("picturelab_ui.door.files._MOST", 4)
    pictures = [write(tmp_path, f"{i}.png") for i in range(6)]
    names = [files.name(picture) for picture in pictures[:3]]
    assert get(names[0]).status_code == 200  # served
    assert files.name(pictures[1]) == names[1]  # shown again
    others = [files.name(picture) for picture in pictures[3:5]]
    assert [get(name).status_code for name in (*names, *others)] == [200, 200, 403, 200, 200]
    assert [files.has_name(picture) for picture in pictures] == [True, True, False, True, True, False]


def test_uploads_take_no_name_away_from_a_picture(files, tmp_path, monkeypatch):
    monkeypatch.setattr("picturelab_ui.door.files._MOST", 2)
    monkeypatch.setattr("picturelab_ui.door.files._MOST_UPLOADS", 3)
    shown = files.name(write(tmp_path, "shown.png"))
    uploads = [files.name(write(tmp_path, f"{i}.png"), is_upload=True) for i in range(10)]
    assert files.path(shown) is not None
    assert [files.path(name) is None for name in uploads] == [True] * 7 + [False] * 3
