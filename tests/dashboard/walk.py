"""A walk through a dashboard by its own links: one page of each kind, as a reader would click through.

    python -m tests.dashboard.walk URL READ_KEY

prints what is wrong, a line each. So any project can be looked through, not only those that tests make.
"""

from __future__ import annotations

import re
import sys
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Literal
from urllib.parse import parse_qsl, urlsplit

import axe_playwright_python
from playwright.sync_api import Error, Page, sync_playwright

CHROMIUM = Path("/usr/bin/chromium")
MISSING = f"{CHROMIUM} is missing: install it with `apt-get install chromium` (or the like of your system)"
AXE = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text()
BY_VALUE = {"view", "shape", "list"}
"""Parameters that choose a view: each value is a kind of its own."""
THEMES: dict[Literal["light", "dark"], str] = {"light": "", "dark": "runOnly: ['color-contrast']"}
"""What axe is asked in each theme: in the dark only the colours are others."""
LEAST_WIDTH = 390
PATIENCE_MS = 60_000


def kinds_of(address: str) -> set[str]:
    """Return what an address shows: its path without ids in each of its views, and there each of its parameters."""
    parts = urlsplit(address)
    path = re.sub(r"^/(topics|sessions)/[^/]+", r"/\1/*", parts.path)
    asked = [(re.sub(r"^((?:[ab]\.)?segment)\..*", r"\1", name), value) for name, value in parse_qsl(parts.query)]
    view = "&".join(sorted(f"{name}={value}" for name, value in asked if name in BY_VALUE))
    return {f"{path}?{view}", *(f"{path} {name}" for name, _ in asked if name not in BY_VALUE)}


def walk(page: Page, url: str, key: str) -> Iterator[tuple[str, list[str]]]:
    """Yield an address of each kind (`kinds_of`) that links lead to from the first, and what is wrong there.

    page: a tab of a browser. url: of the dashboard. key: a read key. Wrong is an error in the console, an answer of 400
    or more, a page that does not come in time or has no heading, one that is wider than a phone, and what axe finds.
    """
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda line: problems.append(line.text) if line.type == "error" else None)
    page.on("response", lambda got: problems.append(f"{got.status} {got.url}") if got.status >= 400 else None)
    page.goto(f"{url}/sign-in#key={key}")
    page.wait_for_selector("#view[aria-busy=false]", timeout=PATIENCE_MS)
    page.set_viewport_size({"width": LEAST_WIDTH, "height": 800})
    page.evaluate(AXE)
    seen, ahead = kinds_of("/"), deque(["/"])
    while ahead:
        address = ahead.popleft()
        page.evaluate("(to) => { history.pushState(null, '', to); dispatchEvent(new Event('popstate')) }", address)
        try:
            page.wait_for_selector("#view[aria-busy=false]", timeout=PATIENCE_MS)
            page.wait_for_function("!document.querySelector('#view [aria-busy=true]')", timeout=PATIENCE_MS)
        except Error:
            problems.append("it does not come to an end")
        if not page.locator("h1").first.inner_text().strip():
            problems.append("it has no heading")
        if (width := page.evaluate("document.documentElement.scrollWidth")) > LEAST_WIDTH:
            problems.append(f"it is {width} pixels wide on a phone")
        for theme, rules in THEMES.items():
            page.emulate_media(color_scheme=theme)
            problems += page.evaluate(
                f"axe.run({{resultTypes: ['violations'], preload: false, {rules}}})"
                f".then((r) => r.violations.map((v) => `{theme}: ${{v.id}}: ${{v.nodes[0].html}}`))"
            )
        yield address, problems.copy()
        problems.clear()
        for link in page.locator("a[href^='/']").evaluate_all("(all) => all.map((a) => a.getAttribute('href'))"):
            to = link.partition("#")[0]
            if not to.startswith(("/docs", "/v1/")) and not kinds_of(to) <= seen:
                seen |= kinds_of(to)
                ahead.append(to)


def walk_through(url: str, key: str) -> Iterator[tuple[str, list[str]]]:
    """Yield what `walk` does, in a browser of its own; raise `FileNotFoundError` where there is none."""
    if not CHROMIUM.exists():
        raise FileNotFoundError(MISSING)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        yield from walk(browser.new_page(), url, key)
        browser.close()


if __name__ == "__main__":
    for address, problems in walk_through(*sys.argv[1:]):
        print(address, *problems, sep="\n    ", flush=True)
