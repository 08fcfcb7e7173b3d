"""The page as a hosted demo: the shipped models, the limits of a public host, and no network but the visitors'."""

import os
import sys

os.environ["HF_HUB_OFFLINE"] = "1"  # before anything imports huggingface_hub
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"

from fouriscale.cli import main

# The host's proxy shares one address with all visitors, so that one address may have as many jobs as there are places.
SWITCHES = {
    "--host": "0.0.0.0",
    "--port": os.environ.get("GRADIO_SERVER_PORT", "7860"),
    "--max-pixels": str(512 * 512),
    "--max-waiting": "12",
    "--max-per-address": "12",
    "--max-disk": "1000",
    "--max-disk-per-visitor": "50",
}

if __name__ == "__main__":
    main(["page", *(word for switch in SWITCHES.items() for word in switch), *sys.argv[1:]])
