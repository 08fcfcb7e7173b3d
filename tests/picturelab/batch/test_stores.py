import os
import re
import time

import pytest

from picturelab.batch.manifest import Entry, encoded
from picturelab.batch.stores import Folder, Objects, open_store


def entry(name, status="done"):
    return Entry(id=name, status=status, file=f"{name}.png")


def statuses(store):
    return {name: entry.status for name, entry in store.record().entries.items()}


@pytest.fixture(params=["folder", "memory"])
def store(request, tmp_path):
    return open_store(str(tmp_path / "out") if request.param == "folder" else f"memory://{tmp_path.name}")


def test_what_is_noted_is_read_again_and_the_last_line_counts(store):
    with store.begin(wait=False):
        store.append("001", [entry("a"), entry("b", "failed")])
        store.append("002", [entry("b")])
        store.write("a.png", b"1234")
    assert statuses(open_store(store.address)) == {"a": "done", "b": "done"}
    assert store.read("a.png") == b"1234"
    assert store.read("b.png") is None
    assert store.sizes()["a.png"] == 4


def test_parts_of_an_object_store_are_never_rewritten(tmp_path):
    store = Objects(f"memory://{tmp_path.name}/x")
    store.append("b", [entry("a", "failed")])
    (first,) = store._list("manifest")
    content = store._files.cat_file(first)
    Objects(store.address).append("a", [entry("a")])  # by another process, which knows nothing of the first
    assert store._files.cat_file(first) == content
    assert statuses(store) == {"a": "done"}


def test_parts_are_in_order_whatever_the_clock_says(tmp_path, monkeypatch):
    """Parts of older versions are named by the time; a clock that was an hour ahead left some for later."""
    store = Objects(f"memory://{tmp_path.name}/clock")
    store.write(
        f"manifest/{time.time_ns() + 3600 * 10**9:020d}-00000001.jsonl", encoded([entry("a", "lost")])
    )
    store.append("1", [entry("a")])
    assert statuses(store) == {"a": "done"}
    one, other = Objects(store.address), Objects(store.address)
    one.append("1", [entry("b")])
    other.append("1", [entry("c")])
    one.append("1", [entry("d")])
    assert statuses(store) == dict.fromkeys("abcd", "done"), "two at once lose nothing"


@pytest.mark.parametrize(
    ("address", "said"),
    [
        (
            "s3:/bucket/x",
            "'s3:/bucket/x' is no URL, which has two slashes after the colon; give a folder, or a URL",
        ),
        ("s3:x", "is no URL, which has two slashes"),
        ("s3:///x", "is no URL, which has two slashes"),
        ("file://", "is no URL, which has two slashes"),
        ("s3//x", "'s3//x' is no URL, which has a colon before the slashes"),
        (" s3://x", "' s3://x' is no URL, which begins with its protocol"),
        ("S3://x", "there is no protocol 'S3' (did you mean s3://?)"),
        ("", "'' is no place for a batch"),
        ("a\x1b[31m", "'a\\\\x1b[31m' is no place for a batch"),
    ],
)
def test_addresses_that_are_no_place_for_a_batch(address, said):
    with pytest.raises(ValueError, match=re.escape(said)):
        open_store(address)


@pytest.mark.parametrize("address", ["run:1", "10:30/x", "file:///tmp/x", "a//b"])
def test_addresses_that_are_folders(address):
    assert isinstance(open_store(address), Folder)


def test_a_file_is_no_batch(tmp_path):
    (tmp_path / "text.txt").write_text("hello")
    with pytest.raises(ValueError, match=r"text.txt is a file, where a batch has a folder"):
        open_store(str(tmp_path / "text.txt"))


def test_what_cannot_be_read_is_a_sentence_and_what_stands_in_the_way_is_named(tmp_path):
    store = Folder(tmp_path)
    for name in ("manifest.jsonl", "a.png"):
        (tmp_path / name).mkdir()
    (tmp_path / "loop.png").symlink_to("loop.png")
    (tmp_path / "gone.png").symlink_to("nowhere")
    for act in (store.record, lambda: store.read("a.png")):
        with pytest.raises(ValueError, match=r"cannot be read \(Is a directory\)"):
            act()
    assert sorted(store.obstacles()) == ["a.png", "manifest.jsonl"]
    assert store.sizes() == {}
    for name in ("loop.png", "gone.png"):
        store.write(name, b"12")  # in place of the link
    assert store.sizes() == {"loop.png": 2, "gone.png": 2}


def test_what_an_object_stores_package_raises_is_told_as_of_a_folder(tmp_path, monkeypatch):
    store = Objects(f"memory://{tmp_path.name}/broken")

    def broken(*arguments, **more):
        raise RuntimeError("no credentials\nat length")

    for name in ("pipe_file", "cat_file"):
        monkeypatch.setattr(store._files, name, broken)
    with pytest.raises(OSError, match=r"^no credentials$"):
        store.append("1", [entry("a")])
    with pytest.raises(ValueError, match=r"plan.json cannot be read \(no credentials\)"):
        store.read("plan.json")


@pytest.mark.parametrize("cut", range(1, 40, 6))
def test_a_line_cut_short_costs_one_job_and_no_more(tmp_path, cut):
    store = Folder(tmp_path)
    with store.begin(wait=False):
        store.append("", [entry("a"), entry("b")])
    path = tmp_path / "manifest.jsonl"
    os.truncate(path, path.stat().st_size - cut)
    with store.begin(wait=False):
        assert statuses(store) == ({"a": "done", "b": "done"} if cut == 1 else {"a": "done"})
        store.append("", [entry("c")])
    record = store.record()
    assert {"a", "c"} <= record.entries.keys()
    assert record.damaged == int(cut > 1)


def test_a_full_disk_leaves_no_half_line(tmp_path, monkeypatch):
    store = Folder(tmp_path)
    store.append("", [entry("a")])

    def full(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    for act in (lambda: store.append("", [entry("b")]), lambda: store.write("b.png", b"1")):
        with pytest.raises(OSError, match="No space left"):
            act()
    assert statuses(store) == {"a": "done"}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["manifest.jsonl"]


def test_leavings_of_a_crash_are_swept(tmp_path):
    (tmp_path / ".a.png.0123.part").write_bytes(b"half")
    (tmp_path / "b.part").write_bytes(b"somebody's")
    with Folder(tmp_path).begin(wait=False):
        assert not (tmp_path / ".a.png.0123.part").exists()
    assert (tmp_path / "b.part").exists()


def test_a_folder_is_held_by_one_run(tmp_path):
    first, second = Folder(tmp_path), Folder(tmp_path)
    assert second.busy() is False
    with first.begin(wait=False):
        assert second.busy() is True
        with (
            pytest.raises(ValueError, match=rf"is in use by .*:{os.getpid()}; wait for it with --wait"),
            second.begin(wait=False),
        ):
            pass
    assert second.busy() is False
    with second.begin(wait=False):
        pass


def test_places_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(ValueError, match="cannot be written"),
        Folder(tmp_path / "file" / "out").begin(wait=False),
    ):
        pass
    with pytest.raises(ValueError, match="nowhere://x cannot be opened"):
        open_store("nowhere://x")
