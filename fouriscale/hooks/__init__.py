"""What is attached to a UNet and taken off again. The only room of this package that touches others' modules."""
