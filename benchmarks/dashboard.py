"""How soon each page of the dashboard shows something on large tables, beside a page without data of the same server.

The tables of `large_lake` are generated with 300 topics and served by `turret serve`; Debian's chromium opens each
page, over the network of this machine. Times run from the start of the navigation, by the browser's clock: `first`
until the page has its first number or message (a row of a table, a tile, a sentence that sums up; the use of the plan
does not count), `all` until every panel has, `drawn` until every picture is there too. `cold`: each time a new version
of all tables was written before, as by a build, so that every answer is worked out anew; else the answers were worked
out before. All are medians of the rounds. The yardstick is the sign-in page: the same styles, without data.
`start_first_s` is the overview's first visit after the server's start.
`map_step_ms` is what one step of dragging the map with all its points (99,000) takes, without a graphics card: from the
pointer's move until the picture has followed it.

    python benchmarks/dashboard.py [--messages 1000000] [--topics 300] [--rounds 3] [--home FOLDER] [--only PAGE,…]
                                   [--json]
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path

from large_lake import renew
from playwright.sync_api import Page, sync_playwright
from read import Server, serving
from report import say, show

CHROMIUM = "/usr/bin/chromium"
PATIENCE_S = 120
PAGES = {
    "overview": "/",
    "topics": "/topics",
    "topic": "/topics/t_07",
    "journeys": "/journeys",
    "graph": "/journeys?shape=graph",
    "paths": "/journeys?view=paths",
    "funnel": "/journeys?view=funnel&level=0&steps=t_01,t_02",
    "friction": "/journeys?view=friction",
    "outcomes": "/journeys?view=outcomes",
    "compare": "/journeys?view=compare",
    "moves": "/journeys?view=compare&of=moves",
    "returns": "/journeys?view=returns",
    "answers": "/answers",
    "digest": "/digest",
    "session": "/sessions/ses_07000000000000000000000123",
    "settings": "/settings",
    "usage": "/settings/usage",
}
WATCH = """
window.seen = {};
const look = () => {
  const main = document.getElementById('view');
  const note = (name, is) => { if (is && !(name in window.seen)) window.seen[name] = performance.now() / 1000; };
  if (main) {
    const filled = main.querySelector(
      '.grid td, .grid .lead, .talk .asked, .grid :not(#usage) > dd:not(:has(.skeleton))',
    );
    note('first', filled);
    const all = filled && main.getAttribute('aria-busy') === 'false';
    note('all', all);
    note('drawn', all && !main.querySelector('.picture:not([data-drawn])'));
  } else note('first', document.querySelector('.sign-in-card'));
  requestAnimationFrame(look);
};
requestAnimationFrame(look);
"""
PAN = """async () => {
  const plot = document.querySelector('.picture.map .plot'), box = plot.getBoundingClientRect(), times = [];
  const tell = (kind, i) => plot.dispatchEvent(new PointerEvent(kind, { bubbles: true, pointerId: 1, buttons: 1,
    clientX: box.left + box.width / 2 + 9 * i, clientY: box.top + box.height / 2 }));
  plot.setPointerCapture = () => {};
  tell('pointerdown', 0);
  for (let i = 1; i <= 20; i += 1) {
    await new Promise(requestAnimationFrame);
    const started = performance.now();
    tell('pointermove', i);
    await new Promise(requestAnimationFrame);
    await new Promise((done) => setTimeout(done));
    times.push(performance.now() - started);
  }
  tell('pointerup', 20);
  return times;
}"""


def visit(page: Page, address: str, until: str) -> dict[str, float]:
    """Return the seconds to `first`, `all` and `drawn` of one visit that has come to `until`."""
    page.goto(address)
    deadline = time.monotonic() + PATIENCE_S
    while until not in (found := page.evaluate("window.seen")):
        assert time.monotonic() < deadline, f"{address} came to {found} alone"
        page.wait_for_timeout(50)
    return {name: float(seconds) for name, seconds in found.items()}


def measure(
    n_messages: int,
    n_topics: int,
    rounds: int,
    tell: Callable[[str], None],
    home: Path | None = None,
    only: tuple[str, ...] = tuple(PAGES),
) -> dict[str, float]:
    """Return all figures in seconds, but for `map_step_ms`."""
    with serving(n_messages, n_topics, tell, home) as (server, _), sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        page = opened.new_context(viewport={"width": 1360, "height": 900}).new_page()
        page.add_init_script(WATCH)
        try:
            return _measure(page, server, rounds, tell, only)
        finally:
            opened.close()


def _measure(
    page: Page, server: Server, rounds: int, tell: Callable[[str], None], only: tuple[str, ...]
) -> dict[str, float]:
    base = f"http://127.0.0.1:{server.port}"
    figures: dict[str, float] = {}
    visit(page, f"{base}/sign-in", "first")
    bare = [visit(page, f"{base}/sign-in", "first")["first"] for _ in range(rounds)]
    figures["bare_first_s"] = statistics.median(bare)
    page.request.post(f"{base}/sign-in", form={"key": server.key}, headers={"Origin": base}, max_redirects=0)
    figures["start_first_s"] = visit(page, f"{base}/", "drawn")["first"]
    for name in only:
        address = base + PAGES[name]
        seen: dict[str, list[dict[str, float]]] = {"_cold": [], "": []}
        for _ in range(rounds):
            renew(server.work)
            seen["_cold"].append(visit(page, address, "drawn"))
            seen[""].append(visit(page, address, "drawn"))
        for how, found in seen.items():
            for what in ("first", "all", "drawn"):
                figures[f"{name}{how}_{what}_s"] = statistics.median(each[what] for each in found)
        tell(", ".join(f"{key} {value:.2f}" for key, value in figures.items() if key.startswith(f"{name}_")))
    if "topics" not in only:
        return figures
    visit(page, f"{base}/topics", "drawn")
    page.wait_for_selector(".picture.map[data-points]", timeout=1000 * PATIENCE_S)
    figures["map_points"] = float(page.locator(".picture.map").get_attribute("data-points") or 0)
    figures["map_step_ms"] = statistics.median(page.evaluate(PAN))
    return figures


def main() -> None:
    """Measure, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=1_000_000)
    parser.add_argument("--topics", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--home", type=Path, help="keep the generated lake there, and take the one that is there")
    parser.add_argument("--only", default=",".join(PAGES), help="pages to look at")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()

    only = tuple(options.only.split(","))
    show(measure(options.messages, options.topics, options.rounds, say, options.home, only), options.json)


if __name__ == "__main__":
    main()
