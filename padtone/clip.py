"""Where documentation once said `Clip` is; it is `padtone.Clip` now."""

from .audit.clip import Clip

__all__ = ["Clip"]
