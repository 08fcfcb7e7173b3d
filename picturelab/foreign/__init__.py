"""Pictures of other programs: what their files say of how they were made, and what we say in their words."""
