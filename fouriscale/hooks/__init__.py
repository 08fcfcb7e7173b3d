"""What is attached to a UNet, and taken off again: no other room of this package touches its modules."""
