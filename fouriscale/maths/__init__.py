"""The method as formulas: sizes, schedule, filters, what a call is to do. Pure: torch only."""
