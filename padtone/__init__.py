"""PadTone: see, swap, mask and trim the padding tokens of text-to-image models."""

from .attention import AttentionShares, attention_to_padding
from .diffusion import idp, idp_arms
from .embeds import encode, ite, token_roles
from .families import Family, TextEncoder, families, register_family
from .masking import mask_padding, replace_padding, trim_padding
from .roles import TokenRoles

__all__ = [
    "AttentionShares",
    "Family",
    "TextEncoder",
    "TokenRoles",
    "attention_to_padding",
    "encode",
    "families",
    "idp",
    "idp_arms",
    "ite",
    "mask_padding",
    "register_family",
    "replace_padding",
    "token_roles",
    "trim_padding",
]
