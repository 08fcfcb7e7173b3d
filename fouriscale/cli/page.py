"""The command `fouriscale page`. Heavy imports wait until it runs."""

from __future__ import annotations

import ipaddress
import socket
from pathlib import Path
from typing import Annotated

import typer

from picturelab.cli.arguments import Bounded
from picturelab.extras import brings_world, require
from picturelab.failures import told_as
from picturelab.quiet import quieten
from picturelab.worlds import DEFAULT_MODEL


def page(
    model: Annotated[
        str, typer.Option(help="shapeworld/unet, a diffusers folder, a .safetensors file or a hub id.")
    ] = DEFAULT_MODEL,
    host: Annotated[str, typer.Option(help="The address to listen on; 0.0.0.0 for all.")] = "127.0.0.1",
    port: Annotated[
        int | None, typer.Option(parser=Bounded("port"), metavar="<int>", help="From 7860 on if left out.")
    ] = None,
    share: Annotated[bool, typer.Option("--share", help="A public address through Gradio's tunnel.")] = False,
    public: Annotated[
        bool,
        typer.Option(
            "--public",
            help="Others than you will come: with limits. So it is anyway with --share, --behind-proxy or a --host "
            "that is not this machine alone.",
        ),
    ] = False,
    models: Annotated[
        Path | None,
        typer.Option(help="A folder of models to choose from: diffusers folders and .safetensors files."),
    ] = None,
    output: Annotated[Path, typer.Option(help="Where pictures go; nothing else is served.")] = Path(
        "outputs/page"
    ),
    allow_any_model: Annotated[
        bool,
        typer.Option(
            "--allow-any-model", help="Visitors of a public page may name hub ids and local folders."
        ),
    ] = False,
    max_pixels: Annotated[
        int | None,
        typer.Option(
            parser=Bounded("max-pixels", "pixels"),
            metavar="<int>",
            help="Of a picture, at most; 2048 x 2048 of a public page, else what the memory holds.",
        ),
    ] = None,
    max_waiting: Annotated[
        int,
        typer.Option(
            parser=Bounded("max-waiting", "waiting"), metavar="<int>", help="Jobs that may wait, at most."
        ),
    ] = 8,
    max_per_address: Annotated[
        int,
        typer.Option(
            parser=Bounded("max-per-address", "waiting"),
            metavar="<int>",
            help="Unfinished jobs of one address, at most; programs and browsers apart.",
        ),
    ] = 4,
    max_disk: Annotated[
        int | None,
        typer.Option(
            parser=Bounded("max-disk", "megabytes"),
            metavar="<int>",
            help="Megabytes of all files in --output, at most; the oldest go first. 2000 of a public page.",
        ),
    ] = None,
    max_disk_per_visitor: Annotated[
        int | None,
        typer.Option(
            parser=Bounded("max-disk-per-visitor", "megabytes"),
            metavar="<int>",
            help="Megabytes of one visitor's files; 200 of a public page.",
        ),
    ] = None,
    behind_proxy: Annotated[
        str,
        typer.Option(
            metavar="ADDRESSES",
            help="Proxies whose X-Forwarded-For is believed, such as 127.0.0.1 or 10.0.0.0/8,192.168.1.7.",
        ),
    ] = "",
) -> None:
    """Serve the page: high resolution, padding tokens, shapeworld."""
    _check_proxies(behind_proxy)
    _check_address(host, port)
    if models is not None and not models.is_dir():
        raise ValueError(f"models={str(models)!r}: must be a folder that exists")
    require("fouriscale page", "app", "gradio", "matplotlib", "scipy", "torchmetrics")
    _check_shipped(model)
    from ..loading.names import locate_any

    locate_any(model)
    quieten()
    from picturelab_ui.host import Host
    from picturelab_ui.page import launch

    settings = Host.of(
        public=public or share or bool(behind_proxy) or not _is_this_machine(host),
        model=model,
        output=output,
        any_model=allow_any_model,
        models=models,
        max_pixels=max_pixels,
        max_waiting=max_waiting,
        max_per_address=max_per_address,
        max_disk=None if max_disk is None else max_disk * 10**6,
        max_disk_per_visitor=None if max_disk_per_visitor is None else max_disk_per_visitor * 10**6,
        behind_proxy=behind_proxy,
    )
    launch(settings, address=host, port=port, share=share)


def _check_proxies(addresses: str) -> None:
    """Are these the addresses of proxies? "*" would believe everybody.

    Raises:
        ValueError: one of them is no address or network.
    """
    for address in filter(None, (part.strip() for part in addresses.split(","))):
        try:
            ipaddress.ip_network(address)
        except ValueError:
            raise ValueError(
                f"behind-proxy is {address!r}; it is an address or a network, such as 127.0.0.1 or 10.0.0.0/8"
            ) from None


def _is_this_machine(host: str) -> bool:
    """Whether nobody else can reach what listens there."""
    with told_as(f"host={host!r}: the page cannot listen there", OSError, UnicodeError):
        addresses = {str(found[4][0]) for found in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)}
    return all(ipaddress.ip_address(address.partition("%")[0]).is_loopback for address in addresses)


def _check_address(host: str, port: int | None) -> None:
    """Can the page listen there? Asked before a folder is made.

    Raises:
        ValueError: it cannot.
    """
    with told_as(
        f"host={host!r}, port={port}: the page cannot listen there", OSError, UnicodeError, ValueError
    ):
        family, kind, protocol, _, address = socket.getaddrinfo(host, port or 0, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)


def _check_shipped(model: str) -> None:
    """Is the model there that is taken where none is named?

    Raises:
        ValueError: the toy world, whose model it is, is not installed.
    """
    from picturelab import worlds

    if model == DEFAULT_MODEL and worlds.USUAL not in worlds.worlds():
        raise ValueError(
            f"fouriscale page needs --model, such as a diffusers folder or a hub id, for {DEFAULT_MODEL} is not "
            f"installed; {brings_world()}"
        )
