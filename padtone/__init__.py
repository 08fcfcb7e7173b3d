"""PadTone: see, swap, mask and trim the padding tokens of text-to-image models."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .attention import AttentionShares, attention_to_padding
    from .audit import Audit, AuditSettings
    from .diffusion import idp, idp_arms
    from .embeds import encode, ite, token_roles
    from .families import Family, TextEncoder, known_families, register_family
    from .masking import mask_padding, replace_padding, trim_padding
    from .roles import TokenRoles

__all__ = [
    "AttentionShares",
    "Audit",
    "AuditSettings",
    "Family",
    "TextEncoder",
    "TokenRoles",
    "attention_to_padding",
    "encode",
    "idp",
    "idp_arms",
    "ite",
    "known_families",
    "mask_padding",
    "register_family",
    "replace_padding",
    "token_roles",
    "trim_padding",
]

# Where each name lives. Imported on first use, so that `padtone --help` does not wait for torch.
_HOMES = {
    "attention": ("AttentionShares", "attention_to_padding"),
    "audit": ("Audit", "AuditSettings"),
    "diffusion": ("idp", "idp_arms"),
    "embeds": ("encode", "ite", "token_roles"),
    "families": ("Family", "TextEncoder", "known_families", "register_family"),
    "masking": ("mask_padding", "replace_padding", "trim_padding"),
    "roles": ("TokenRoles",),
}


def __getattr__(name: str) -> object:
    for home, names in _HOMES.items():
        if name in names:
            value = getattr(import_module(f".{home}", __name__), name)
            globals()[name] = value
            return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*globals(), *__all__]
