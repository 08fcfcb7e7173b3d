"""Start the page: `python app.py`, or `make app`."""

from pathlib import Path
from typing import Annotated

import typer

from picturelab.cli.run import run
from picturelab.quiet import quieten

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def main(
    model: Annotated[
        str, typer.Option(help="shapeworld/unet, a diffusers folder, a .safetensors file or a hub id.")
    ] = "shapeworld/unet",
    host: Annotated[str, typer.Option(help="The address to listen on; 0.0.0.0 for all.")] = "127.0.0.1",
    port: Annotated[int | None, typer.Option(help="From 7860 on if left out.")] = None,
    share: Annotated[bool, typer.Option("--share", help="A public address through Gradio's tunnel.")] = False,
    output: Annotated[Path, typer.Option(help="Where pictures go; nothing else is served.")] = Path(
        "outputs/page"
    ),
    allow_any_model: Annotated[
        bool, typer.Option("--allow-any-model", help="Visitors may name hub ids and local folders.")
    ] = False,
    max_pixels: Annotated[int, typer.Option(help="Of a picture, at most.")] = 2048 * 2048,
    max_waiting: Annotated[int, typer.Option(help="Jobs that may wait, at most.")] = 8,
) -> None:
    """Serve the page: high resolution, padding tokens, shapeworld."""
    for name, value in (("max-pixels", max_pixels), ("max-waiting", max_waiting)):
        if value < 1:
            raise ValueError(f"{name} is {value}; it is at least 1")
    quieten()
    from picturelab.models import locate
    from picturelab_ui.page import launch
    from picturelab_ui.workshop import Host

    locate(model, files=True)
    settings = Host(model, output, allow_any_model, max_pixels, max_waiting=max_waiting)
    launch(settings, address=host, port=port, share=share)


if __name__ == "__main__":
    run(app)
