"""The tab "Padding tokens"."""
