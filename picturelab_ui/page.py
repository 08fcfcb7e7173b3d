"""The page: its three tabs, its endpoints, and how it is served."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")  # read when gradio is imported

import gradio as gr
from starlette.middleware import Middleware

from picturelab import worlds

from . import api, links
from .disk import CACHE
from .door.door import Door
from .events import AT_ONCE
from .high_resolution import tab as high_resolution
from .host import Host
from .padding_tokens import order as padding_order
from .padding_tokens import tab as padding_tokens
from .workshop import Workshop

TITLE = "FouriScale and Padding Tone"
CSS = Path(__file__).with_name("style.css")
SCRIPT = Path(__file__).with_name("page.js")
FONTS = ["system-ui", "-apple-system", "Segoe UI", "Roboto", "DejaVu Sans", "sans-serif"]


_LIGHT_EVENTS = 128  # that are answered at once beside the endpoints' calls, which wait for their jobs


class Tab(NamedTuple):
    """A tab's title, its name in links, and what puts it onto the page."""

    title: str
    key: str
    build: Callable[[Workshop, gr.BrowserState, Any], None]


def tabs() -> list[Tab]:
    """Those of this page; one is about the toy world, and is there with it."""
    page_tabs = [
        Tab("High resolution", links.HOME, high_resolution.build),
        Tab("Padding tokens", padding_order.TAB, padding_tokens.build),
    ]
    if worlds.USUAL in worlds.worlds():
        from .shapeworld import order, tab  # which import the toy world

        page_tabs.append(Tab("Shapeworld", order.TAB, tab.build))
    return page_tabs


def build(workshop: Workshop) -> gr.Blocks:
    """The whole page, not yet served.

    Raises:
        ValueError: the host's model does not fit the page.
    """
    page_tabs = tabs()
    with gr.Blocks(title=TITLE) as page:
        gr.Markdown(f"# {TITLE}\n{_summary(with_world=len(page_tabs) > 2)}", elem_id="title")
        # Only a name for this browser's jobs and files; the secret keeps it readable across restarts.
        owner = gr.BrowserState("", storage_key="fouriscale-page", secret="fouriscale-page")
        named = page.load(
            lambda name: name or secrets.token_hex(16), owner, owner, api_visibility="private", queue=False
        )
        with gr.Tabs(overflow_behavior="wrap") as strip:
            for tab in page_tabs:
                with gr.Tab(tab.title, id=tab.key):
                    tab.build(workshop, owner, named)
        keys = [tab.key for tab in page_tabs]

        def choose(request: gr.Request) -> Any:
            return _tab_of(request.query_params, keys)

        named.then(choose, None, strip, **AT_ONCE)
        api.build(workshop)
    # Jobs have bounds of their own; what is light never waits behind what is not.
    page.queue(max_size=None, default_concurrency_limit=None, api_open=False)
    return page


def launch(
    host: Host, *, address: str, port: int | None, share: bool, block: bool = True
) -> tuple[Workshop, Any, str]:
    """Serve the page; with `block`, until it is interrupted.

    Returns:
        The workshop, the page, and its address.

    Raises:
        ValueError: the host's model does not fit the page.
    """
    output = host.output.resolve()
    output.mkdir(parents=True, exist_ok=True)
    os.environ["GRADIO_TEMP_DIR"] = str(output / CACHE)  # uploads and copies stay in the output folder too
    os.environ["FORWARDED_ALLOW_IPS"] = host.behind_proxy  # read by uvicorn, which else trusts 127.0.0.1
    workshop = Workshop(host)
    first = workshop.models.first()  # refuses here what the page cannot open with
    workshop.runner.submit(
        lambda _: workshop.models.pipeline(first), model=first
    )  # loads while the page opens
    page = build(workshop)
    _, url, _ = page.launch(
        server_name=address,
        server_port=port,
        share=share,
        allowed_paths=[str(output)],  # for Gradio's own copies; visitors get what `Door` has named
        css_paths=CSS,
        js=SCRIPT.read_text(encoding="utf-8"),
        theme=_theme(),
        prevent_thread_lock=True,
        footer_links=["settings"],  # the list of endpoints asks in vain for an MCP server
        quiet=True,
        ssr_mode=False,
        max_file_size="32mb",
        max_threads=host.max_waiting + _LIGHT_EVENTS,
        run_history=False,
        enable_monitoring=False,
        app_kwargs={"middleware": [Middleware(Door, page=page, workshop=workshop)]},
    )
    print(f"the page: {url}", flush=True)
    if block:
        page.block_thread()
    return workshop, page, url


def _tab_of(query: Mapping[str, str], keys: Sequence[str]) -> Any:
    """The tab that a link names, where there is such a tab."""
    key = query.get("tab", links.HOME)
    return gr.Tabs(selected=key) if key in keys else gr.skip()


def _summary(with_world: bool) -> str:
    does = "Sample a text-to-image model beyond its training size"
    sees = "see what its padding tokens hold"
    if not with_world:
        return f"{does}, and {sees}."
    return f"{does}, {sees}, and check both against a world of shapes with known truth."


def _theme() -> gr.themes.Default:
    """Fonts of the visitor's own machine, and grey text that is dark enough to read."""
    mono = ["ui-monospace", "DejaVu Sans Mono", "monospace"]
    theme = gr.themes.Default(primary_hue="blue", font=FONTS, font_mono=mono)
    return theme.set(
        color_accent="*primary_600",
        button_primary_background_fill="*primary_600",
        button_primary_background_fill_hover="*primary_700",
        button_primary_background_fill_dark="*primary_600",
        button_primary_background_fill_hover_dark="*primary_700",
        block_info_text_color="*neutral_600",
        block_info_text_color_dark="*neutral_300",
        body_text_color_subdued="*neutral_600",
        body_text_color_subdued_dark="*neutral_300",
    )
