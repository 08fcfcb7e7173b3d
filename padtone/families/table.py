"""The families that come with padtone, by the name of their pipeline class."""

from __future__ import annotations

from . import cross_attention, one_sequence, two_streams
from .family import Family

FAMILIES: dict[str, Family] = {
    **cross_attention.FAMILIES,
    **two_streams.FAMILIES,
    **one_sequence.FAMILIES,
}
