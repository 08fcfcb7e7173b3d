"""What would be done and what came out, in words, figures and pages."""
