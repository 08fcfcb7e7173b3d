"""The two sentences at a report's top, from figures made by hand."""

from fouriscale.borders.words import sentences, strongest_block


def figure(value):
    return {"value": value, "low": 0.9 * value, "high": 1.1 * value}


def entry(scale, method, share, border="zeros", **blocks):
    return {
        "scale": scale,
        "method": method,
        "border": border,
        "signal": figure(0.1 * (share or 1)),
        "share": None if share is None else figure(share),
        "blocks": {name: {"snr": figure(value)} for name, value in blocks.items()},
    }


def report(*shares):
    large = [(scale, method) for scale in (2, 4) for method in ("direct", "dilated", "deep grid")]
    return {
        "settings": {"model": "owner/name"},
        "ways": [
            entry(1, "direct", 1, mid=0.3, prediction=0.02),
            entry(1, "direct", 0, border="wrapped", mid=2e-13, prediction=0.0) | {"signal": figure(1e-13)},
            entry(1, "direct", 9, border="partial", mid=0.5),
            *(entry(*where, share) for where, share in zip(large, shares, strict=True)),
        ],
    }


def test_what_the_model_takes_and_what_each_way_does_to_it():
    told = report(0.4, 0.9, 1.0, 0.2, 0.8, 0.95)
    assert strongest_block(told) == "mid"
    first, second = sentences(told)
    assert "owner/name has 0.100 (0.090 to 0.110) times the variance" in first
    assert (
        "most in the block 'mid': 0.300 (0.270 to 0.330); without a border, wrapped, it reads 1e-13." in first
    )
    assert second == (
        "Of that signal, sampling directly keeps 40% (36% to 44%) at 2 times the size and 20% (18% to 22%) at 4 times "
        "the size; dilated convolutions 90% (81% to 99%) and 80% (72% to 88%); the deep grid 100% (90% to 110%) and "
        "95% (86% to 104%)."
    )


def test_where_there_is_no_signal_there_are_no_shares():
    _, second = sentences(report(*[None] * 6))
    assert second.startswith("That is 0 within its interval; larger it reads with sampling directly 0.100 (")
    assert "%" not in second
