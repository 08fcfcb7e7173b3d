"""Roles, figures and verdicts. Pure."""
