"""Who is still there, by a clock of the test's own."""

import pytest

from picturelab_ui.presence import PATIENCE, PROGRAMS_PATIENCE, Presence
from picturelab_ui.visitors import network


@pytest.fixture
def clock():
    return [100.0]


@pytest.fixture
def presence(clock):
    return Presence(lambda: clock[0])


def test_a_program_that_never_listens_has_gone_after_a_while(presence, clock):
    assert not presence.is_here("call")
    presence.note("call")
    assert presence.is_here("call")
    clock[0] += PROGRAMS_PATIENCE
    assert not presence.is_here("call")


def test_a_program_is_there_as_long_as_it_listens(presence, clock):
    presence.note("call")
    with presence.connected("call"):
        clock[0] += 1000
        assert presence.is_here("call")
    assert not presence.is_here("call")


def test_a_page_may_be_loaded_anew(presence, clock):
    presence.note("first", "browser")
    with presence.connected("first"):
        clock[0] += 1000
        assert presence.browser_is_here("browser")
    assert presence.browser_is_here("browser")
    clock[0] += PATIENCE / 2
    presence.note("second", "browser")
    with presence.connected("second"):
        clock[0] += 1000
        assert presence.browser_is_here("browser")
    clock[0] += PATIENCE
    assert not presence.browser_is_here("browser")
    assert not presence.browser_is_here("another")


def test_those_who_have_gone_are_forgotten(presence, clock):
    for number in range(3000):
        presence.note(f"{number}", f"browser {number}")
        clock[0] += 1
    assert len(presence._signs) < 1100
    assert len(presence._sessions) < 1100


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("testclient", "testclient"),
    ],
)
def test_what_counts_as_one_address(address, expected):
    assert network(address) == expected
