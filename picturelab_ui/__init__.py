"""The page: a folder for each tab, the work behind them in `jobs`, and beside these what the tabs share."""
