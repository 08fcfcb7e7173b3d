"""The page: its three tabs, its endpoints, and how it is served."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import Any

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")  # read when gradio is imported

import gradio as gr

from . import api, links
from .high_resolution import tab as high_resolution
from .padding_tokens import tab as padding_tokens
from .shapeworld import tab as shapeworld_tab
from .workshop import Host, Workshop

TITLE = "FouriScale and Padding Tone"
TABS = (
    ("High resolution", "high", high_resolution),
    ("Padding tokens", "padding", padding_tokens),
    ("Shapeworld", "world", shapeworld_tab),
)
CSS = Path(__file__).with_name("style.css")
FONTS = ["system-ui", "-apple-system", "Segoe UI", "Roboto", "DejaVu Sans", "sans-serif"]


def build(workshop: Workshop) -> gr.Blocks:
    """The whole page, not yet served."""
    with gr.Blocks(title=TITLE) as page:
        gr.Markdown(
            f"# {TITLE}\nSample a text-to-image model beyond its training size, see what its padding tokens hold, "
            "and check both against a world of shapes with known truth."
        )
        # Only a name for this browser's jobs and files; the secret keeps it readable across restarts.
        owner = gr.BrowserState("", storage_key="fouriscale-page", secret="fouriscale-page")
        named = page.load(
            lambda who: who or secrets.token_hex(16), owner, owner, api_visibility="private", queue=False
        )
        with gr.Tabs(overflow_behavior="wrap") as tabs:
            for title, key, tab in TABS:
                with gr.Tab(title, id=key):
                    tab.build(workshop, owner, named)
        named.then(_tab, None, tabs, show_progress="hidden", api_visibility="private", queue=False)
        api.build(workshop)
    page.queue(max_size=32, default_concurrency_limit=8)
    return page


def launch(
    host: Host, *, address: str, port: int | None, share: bool, block: bool = True
) -> tuple[Workshop, Any, str]:
    """Serve the page; with `block`, until it is interrupted.

    Returns:
        The workshop, the page, and its address.
    """
    output = host.output.resolve()
    output.mkdir(parents=True, exist_ok=True)
    os.environ["GRADIO_TEMP_DIR"] = str(output / ".cache")  # uploads and copies stay in the output folder too
    workshop = Workshop(host)
    workshop.runner.submit(lambda _: workshop.pipeline(host.model))  # loads while the page opens
    page = build(workshop)
    _, url, _ = page.launch(
        server_name=address,
        server_port=port,
        share=share,
        allowed_paths=[str(output)],
        css_paths=CSS,
        theme=_theme(),
        prevent_thread_lock=True,
        footer_links=[
            "settings"
        ],  # the list of endpoints asks in vain for an MCP server; the README has them
        quiet=True,
        ssr_mode=False,
        max_file_size="32mb",
    )
    print(f"the page: {url}", flush=True)
    if block:
        page.block_thread()
    return workshop, page, url


def _tab(request: gr.Request) -> Any:
    """The tab that a link names."""
    wanted = request.query_params.get("tab", links.HOME)
    return gr.Tabs(selected=wanted) if wanted in [key for _, key, _ in TABS] else gr.skip()


def _theme() -> gr.themes.Default:
    """Fonts of the visitor's own machine, and grey text that is dark enough to read."""
    mono = ["ui-monospace", "DejaVu Sans Mono", "monospace"]
    made = gr.themes.Default(primary_hue="blue", font=FONTS, font_mono=mono)
    return made.set(
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
