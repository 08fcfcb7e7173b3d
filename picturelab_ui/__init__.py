"""The page: one file a tab. Only wiring; what it shows is made by the packages."""
