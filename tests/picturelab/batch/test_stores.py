import os

import pytest

from picturelab.batch.manifest import Entry
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
    store.append("001", [entry("a", "failed")])
    first = store._files.cat_file(f"{store._root}/manifest/001.jsonl")
    store.append("002", [entry("a")])
    assert store._files.cat_file(f"{store._root}/manifest/001.jsonl") == first
    assert statuses(store) == {"a": "done"}


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
