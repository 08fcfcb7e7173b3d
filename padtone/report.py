"""Where documentation once said `write_report` is; it is `padtone.write_report` now."""

from .reports.page import write_report

__all__ = ["write_report"]
