"""The command `padtone`."""
