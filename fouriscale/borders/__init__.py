"""What a UNet takes from its borders: the report of `fouriscale borders`."""

GROUPS = 8  # of inputs; intervals come from leaving out one at a time
