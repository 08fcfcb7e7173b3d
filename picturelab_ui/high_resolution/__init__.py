"""The tab "High resolution"."""
