"""Silence of the libraries beneath us, whose own bars and remarks would tear ours."""

from __future__ import annotations


def quieten() -> None:
    """Have diffusers and transformers report errors only, and draw no bars."""
    import diffusers
    import transformers

    for library in (diffusers, transformers):
        library.utils.logging.set_verbosity_error()
        library.utils.logging.disable_progress_bar()
