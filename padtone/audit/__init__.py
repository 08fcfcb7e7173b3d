"""Are a model's padding tokens used, and how many can go: plan, pictures, figures."""
