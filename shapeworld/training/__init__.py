"""How the models were trained."""
