"""What is attached to encoders and denoisers, and taken off again: the only room that touches their modules."""
