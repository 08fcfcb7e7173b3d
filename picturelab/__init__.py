"""What the instruments share and neither owns: models by name, the manners of a command, pictures with recipes."""
