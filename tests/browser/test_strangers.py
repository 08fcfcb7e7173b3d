"""Files of strangers in a real browser: none of their scripts runs on the page's origin."""

import base64

import pytest
from playwright.sync_api import Error, expect

SCRIPT = "localStorage.setItem('stranger', 'ran')"
PNG = b"\x89PNG\r\n\x1a\n"
CONTENTS = {
    "a.html": f"<script>{SCRIPT}</script>".encode(),
    "a.svg": f'<svg xmlns="http://www.w3.org/2000/svg"><script>{SCRIPT}</script></svg>'.encode(),
    "A.XHTML": f'<html xmlns="http://www.w3.org/1999/xhtml"><script>{SCRIPT}</script></html>'.encode(),
    "a.js": SCRIPT.encode(),
}
UPLOAD = """async ([name, content]) => {
  const bytes = Uint8Array.from(atob(content), one => one.charCodeAt(0)), form = new FormData();
  form.append('files', new File([bytes], name));
  const answer = await fetch('gradio_api/upload', {method: 'POST', body: form});
  return [answer.status, await answer.json()];
}"""
EMBED = """url => {
  for (const kind of ['iframe', 'embed', 'script', 'img', 'object']) {
    const element = document.createElement(kind);
    element[kind === 'object' ? 'data' : 'src'] = url;
    document.body.append(element);
  }
}"""


def open_every_way(page, address, where):
    """Go to a file, and embed it in a page of the same origin."""
    url = f"{address}gradio_api/file={where}"
    try:
        page.goto(url)
    except Error as error:
        assert "download" in str(error).lower() or "ERR_ABORTED" in str(error)  # noqa: PT017 (nothing is raised if it is refused)
    page.goto(f"{address}config")
    page.evaluate(EMBED, url)
    page.wait_for_timeout(300)
    return page.evaluate("localStorage.getItem('stranger')")


@pytest.mark.parametrize("name", CONTENTS)
def test_no_script_of_an_upload_runs(visit, address, name):
    page = visit()
    for prefix in (b"", PNG):  # refused; and what passes for a picture, which is only ever a download
        other = page.context.new_page()
        other.goto(f"{address}config")
        content = base64.b64encode(prefix + CONTENTS[name]).decode()
        status, answer = other.evaluate(
            UPLOAD.replace("'gradio_api", f"'{address}gradio_api"), [name, content]
        )
        assert status == (200 if prefix else 415)
        assert open_every_way(other, address, answer[0] if prefix else name) is None
        other.close()


def test_prompts_and_fields_are_shown_as_text(visit):
    hostile = (
        "<img src=x onerror=\"localStorage.setItem('stranger', 'ran')\"> ${1+1} {{1+1}} <script>1</script>"
    )
    page = visit()
    page.locator("#hires-prompt textarea").fill(hostile)
    expect(page.get_by_text("does not know", exact=False).first).to_be_visible()
    page.get_by_role("button", name="Every setting").click()
    page.locator("#hires-training_sizes textarea").fill(hostile)
    expect(page.locator("#hires-plan")).to_contain_text("${1+1} {{1+1}} <script>1</script>")
    page.get_by_role("button", name="Generate", exact=True).first.click()
    expect(page.locator("#hires-status")).to_contain_text("${1+1} {{1+1}} <script>1</script>")
    page.get_by_role("tab", name="Padding tokens", exact=True).click()
    page.locator("#pad-prompt textarea").fill(hostile)
    expect(page.locator("#pad-chips button.chip").first).to_be_visible()
    assert page.evaluate("localStorage.getItem('stranger')") is None
