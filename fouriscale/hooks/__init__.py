"""What is attached to a UNet, and taken off again: the only room that touches its modules."""
