"""What the page runs in the background: the runner, and each tab's work."""
