"""Whose turn it is, worked out by hand."""

from dataclasses import dataclass

from picturelab_ui.jobs.turns import Rotation


@dataclass(eq=False)
class One:
    name: str
    visitor: str
    model: str = ""
    turn: int = 0
    overtaken: int = 0


class Table:
    """A rotation and those who take part; `give` lets so many have their turns, each `length` turns long."""

    def __init__(self, most=8, most_models=2):
        self.rotation, self.begun, self.waiting = Rotation(most, most_models), [], []

    def come(self, name, visitor=None, model=""):
        self.waiting.append(One(name, visitor or name, model))

    def give(self, count):
        names = ""
        for _ in range(count):
            (one, *_) = self.rotation.order(self.begun, self.waiting)
            self.rotation.give(one, self.begun, self.waiting)
            if one in self.waiting:
                self.waiting.remove(one)
                self.begun.append(one)
            names += one.name
        return names

    def end(self, name):
        self.begun = [one for one in self.begun if one.name != name]


def test_visitors_have_one_turn_each_and_a_newcomer_the_next_one():
    table = Table()
    table.come("a")
    assert table.give(2) == "aa"
    table.come("b")
    assert table.give(4) == "baba"
    table.come("c")
    assert table.give(6) == "cbacba"


def test_a_visitor_with_several_jobs_has_no_more_turns_for_it():
    table = Table()
    for name in "xyz":
        table.come(name, visitor="one")
    table.come("a")
    assert table.give(8) == "xayazaxa"


def test_who_comes_back_with_job_after_job_is_no_newcomer():
    table = Table()
    table.come("a")
    table.come("b", visitor="again")
    assert table.give(2) == "ab"
    table.end("b")
    table.come("c", visitor="again")
    assert table.give(2) == "ac"


def test_no_more_begin_than_there_are_places():
    table = Table(most=2)
    for name in "abc":
        table.come(name)
    assert table.give(4) == "abab"
    table.end("a")
    assert table.give(3) == "cbc"


def test_a_third_model_waits_until_one_of_two_is_done_with():
    table = Table()
    for name, model in (("a", "A"), ("b", "B"), ("c", "C"), ("d", "A"), ("e", "")):
        table.come(name, model=model)
    assert table.give(5) == "abdea"
    assert table.rotation.lacks_room(table.waiting[0], table.begun)
    table.end("b")
    assert table.give(1) == "c"


def test_a_third_model_is_overtaken_so_often_and_no_more():
    table = Table()
    for name, model in (("a", "A"), ("b", "B"), ("c", "C")):
        table.come(name, model=model)
    for name in "12345":
        table.come(name, model="A")
    assert table.give(6) == "ab1234"
    assert table.give(6) == "ab1234"  # the fifth does not begin before it
    table.end("b")
    assert table.give(2) == "c5"
