"""The quota: which files go, and which stay."""

import os
import threading
import time
from pathlib import Path

import pytest

from picturelab_ui.disk import CACHE, Disk

ONE, OTHER = "1" * 32, "2" * 32


@pytest.fixture
def write(tmp_path):
    def write(visitor, name, age, size=100):
        file = tmp_path / visitor / "pictures" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"x" * size)
        os.utime(file, (time.time() - age,) * 2)
        return file

    return write


def left(folder):
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def test_the_oldest_go_first_and_their_empty_folders_with_them(tmp_path, write):
    write(ONE, "oldest", 4000)
    write(OTHER, "older", 3000)
    write(CACHE, "old", 2000)
    Disk(tmp_path, 200, 1000).tidy()
    assert left(tmp_path) == ["old", "older"]
    assert not (tmp_path / ONE).exists()
    Disk(tmp_path, 200, 1000).tidy()
    assert left(tmp_path) == ["old", "older"]


def test_one_visitors_files_are_bounded_and_others_stay(tmp_path, write):
    write(OTHER, "oldest of all", 9000)
    for age in (4000, 3000, 2000):
        write(ONE, f"{age}", age)
    Disk(tmp_path, 1000, 200).tidy()
    assert left(tmp_path) == ["2000", "3000", "oldest of all"]


def test_made_up_names_do_not_lift_the_bound_of_a_visitor(tmp_path, write):
    names = [f"{n:032x}" for n in range(5)]
    for age, name in enumerate(names):
        write(name, f"{age}", 2000 - age)
    disk = Disk(tmp_path, 1000, 200)
    for name in names:
        with disk.writing(tmp_path / name / "pictures", "an address"):
            pass
    disk.tidy()
    assert left(tmp_path) == ["3", "4"]


def test_the_address_of_a_folder_is_known_while_it_is_there_or_is_being_written(tmp_path, write):
    disk = Disk(tmp_path, 1000, 200)
    write(ONE, "a", 1)
    with disk.writing(tmp_path / ONE / "pictures", "an address"):
        pass
    for n in range(50):  # programs without a name, whose jobs fail before they write
        with disk.writing(tmp_path / f"{n:032x}" / "pictures", "an address"):
            pass
    with disk.writing(tmp_path / OTHER / "pictures", "an address"):
        disk.tidy()
        assert disk._addresses == dict.fromkeys((ONE, OTHER), "an address")


def test_a_folder_that_cannot_be_read_is_passed_over(tmp_path, write, monkeypatch):
    write(ONE, "oldest", 4000)
    write(OTHER, "older", 3000)
    scandir = os.scandir

    def failing(folder):
        if Path(folder).name == "pictures" and ONE in str(folder):
            raise OSError(5, "Input/output error")
        return scandir(folder)

    monkeypatch.setattr("os.scandir", failing)
    Disk(tmp_path, 1, 1).tidy()
    monkeypatch.undo()
    assert left(tmp_path) == ["oldest"]


def test_many_who_ask_for_it_are_tidied_for_once(tmp_path, monkeypatch):
    monkeypatch.setattr("picturelab_ui.disk._PAUSE", 0.05)
    disk, calls, again = Disk(tmp_path, 1, 1), [], threading.Event()

    def tidy():
        calls.append(threading.current_thread())
        if len(calls) == 2:
            again.set()
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(disk, "tidy", tidy)
    for _ in range(100):
        disk.tidy_soon()
    (planned,) = {disk._planned}
    planned.join(5)
    assert calls == [planned]
    disk.tidy_soon()  # what the last one raised has ended nothing
    assert again.wait(5)


def test_what_is_being_written_or_was_just_shown_or_made_stays(tmp_path, write):
    written, shown = write(ONE, "written", 4000), write(OTHER, "shown", 3000)
    write(OTHER, "new", 5)
    write(OTHER, "gone", 2000)
    disk = Disk(tmp_path, 1, 1)
    disk.note_shown(shown)
    with disk.writing(written.parent):
        disk.tidy()
        assert left(tmp_path) == ["new", "shown", "written"]
    disk.tidy()
    assert left(tmp_path) == ["new", "shown"]


def test_what_is_too_much_within_ten_minutes_goes_sooner(tmp_path, write):
    write(ONE, "a minute old", 60)
    write(ONE, "new", 5)
    Disk(tmp_path, 1, 1).tidy()
    assert left(tmp_path) == ["new"]


def test_other_things_in_the_folder_are_left_alone(tmp_path, write):
    for name in ("my pictures", "shared", "A" * 32):
        write(name, "mine", 9000)
    (tmp_path / "notes.txt").write_text("mine")
    Disk(tmp_path, 1, 1).tidy()
    assert left(tmp_path) == ["mine"] * 3 + ["notes.txt"]
