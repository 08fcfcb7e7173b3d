"""What the instruments share and neither owns: models by name, the manners of a command, pictures with recipes."""

__all__ = ["Remark"]


class Remark(UserWarning):
    """A warning meant for the person who typed the prompt; the commands print it as one sentence."""
