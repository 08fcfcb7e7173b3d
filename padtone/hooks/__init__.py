"""What is attached to encoders and denoisers, and taken off again: no other room of this package touches them."""
