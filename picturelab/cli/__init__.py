"""What the commands of both instruments have in common."""
