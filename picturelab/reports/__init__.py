"""Pages and drawings of one file, which need no other."""
