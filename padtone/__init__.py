"""PadTone: see, swap, mask and trim the padding tokens of text-to-image models."""

from .embeds import encode, ite, token_roles
from .families import Family, TextEncoder, families, register_family
from .roles import TokenRoles

__all__ = [
    "Family",
    "TextEncoder",
    "TokenRoles",
    "encode",
    "families",
    "ite",
    "register_family",
    "token_roles",
]
