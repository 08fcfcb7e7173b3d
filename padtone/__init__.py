"""PadTone: see, swap, mask and trim the padding tokens of text-to-image models."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .audit.clip import Clip
    from .audit.run import Audit, AuditSettings
    from .families.registry import Family, TextEncoder, known_families, register_family
    from .interventions.attention import AttentionShares, attention_to_padding
    from .interventions.idp import idp, idp_arms
    from .interventions.ite import encode, ite, token_roles
    from .interventions.masking import mask_padding, replace_padding, trim_padding
    from .maths.roles import TokenRoles
    from .reports.page import write_report

__all__ = [
    "AttentionShares",
    "Audit",
    "AuditSettings",
    "Clip",
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
    "write_report",
]

# Where each name lives. Imported on first use, so that `padtone --help` does not wait for torch.
_HOMES = {
    "interventions.attention": ("AttentionShares", "attention_to_padding"),
    "audit.clip": ("Clip",),
    "audit.run": ("Audit", "AuditSettings"),
    "interventions.idp": ("idp", "idp_arms"),
    "interventions.ite": ("encode", "ite", "token_roles"),
    "families.registry": ("Family", "TextEncoder", "known_families", "register_family"),
    "interventions.masking": ("mask_padding", "replace_padding", "trim_padding"),
    "maths.roles": ("TokenRoles",),
    "reports.page": ("write_report",),
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
