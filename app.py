"""Start the page, as `fouriscale page` does: `python app.py`, or `make app`."""

import sys

from fouriscale.cli import main

if __name__ == "__main__":
    main(["page", *sys.argv[1:]])
