"""Padding Tone for diffusers: see and control what padding tokens do to an image."""
