"""A sentence for every setting, from the one place that documents them."""

from __future__ import annotations

from fouriscale.config import setting_docs as setting_sentences

__all__ = ["setting_sentences"]
