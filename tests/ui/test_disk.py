"""The quota: which files go, and which stay."""

import os
import time

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
    Disk(tmp_path, 1000, 200, dict.fromkeys(names, "an address")).tidy()
    assert left(tmp_path) == ["3", "4"]


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
