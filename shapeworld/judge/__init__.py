"""What a picture shows: the checker, its palette, and the sharpness of edges."""
