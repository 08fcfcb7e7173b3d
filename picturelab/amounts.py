"""Seconds and bytes, in words."""

from __future__ import annotations


def duration(seconds: float) -> str:
    """Such as "8.2 s", "45 s", "12 min" or "2 h 14 min": no finer than it can be of use."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    if seconds < 179.5:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60} min"


def gibibytes(count: float) -> str:
    """Bytes as GiB of three digits or more, such as "4.78 GiB"."""
    amount = count / 2**30
    return f"{amount:.3g} GiB" if amount < 1000 else f"{amount:,.0f} GiB"
