"""What a UNet takes from its borders: the report of `fouriscale borders`."""
