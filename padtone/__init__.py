"""PadTone: see, swap, mask and trim the padding tokens of text-to-image models."""

from __future__ import annotations

from typing import TYPE_CHECKING

from picturelab.lazy import attach

if TYPE_CHECKING:
    from .audit.clip import Clip
    from .audit.run import Audit
    from .audit.settings import AuditSettings
    from .families.family import Family, TextEncoder
    from .families.registry import known_families, register_family
    from .interventions.attention import attention_to_padding
    from .interventions.attention_sizes import attention_by_size
    from .interventions.idp import idp, idp_arms
    from .interventions.ite import encode, ite, token_roles
    from .interventions.masking import mask_padding, replace_padding, trim_padding
    from .interventions.sensitivity import sensitivity
    from .maths.attention import AttentionShares
    from .maths.attention_sizes import AttentionAtSize
    from .maths.roles import TokenRoles
    from .maths.sensitivity import RowChanges, Sensitivity
    from .reports.page import write_report

__all__ = [
    "AttentionAtSize",
    "AttentionShares",
    "Audit",
    "AuditSettings",
    "Clip",
    "Family",
    "RowChanges",
    "Sensitivity",
    "TextEncoder",
    "TokenRoles",
    "attention_by_size",
    "attention_to_padding",
    "encode",
    "idp",
    "idp_arms",
    "ite",
    "known_families",
    "mask_padding",
    "register_family",
    "replace_padding",
    "sensitivity",
    "token_roles",
    "trim_padding",
    "write_report",
]

__getattr__, __dir__ = attach(
    __name__,
    {
        "AttentionAtSize": "maths.attention_sizes",
        "AttentionShares": "maths.attention",
        "Audit": "audit.run",
        "AuditSettings": "audit.settings",
        "Clip": "audit.clip",
        "Family": "families.family",
        "RowChanges": "maths.sensitivity",
        "Sensitivity": "maths.sensitivity",
        "TextEncoder": "families.family",
        "TokenRoles": "maths.roles",
        "attention_by_size": "interventions.attention_sizes",
        "attention_to_padding": "interventions.attention",
        "encode": "interventions.ite",
        "idp": "interventions.idp",
        "idp_arms": "interventions.idp",
        "ite": "interventions.ite",
        "known_families": "families.registry",
        "mask_padding": "interventions.masking",
        "register_family": "families.registry",
        "replace_padding": "interventions.masking",
        "sensitivity": "interventions.sensitivity",
        "token_roles": "interventions.ite",
        "trim_padding": "interventions.masking",
        "write_report": "reports.page",
    },
)
