"""The command `fouriscale`."""
