"""Where a batch's workers run: this process, several, or Ray's actors."""
