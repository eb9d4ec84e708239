"""What a person at the page waits for, over a large library: `make page-figures LIBRARY=...`.

    PYTHONPATH=python:tests python benches/page_figures.py LIBRARY [--queries 200]

Chromium types into the page of a real server. *keystroke to picture*: from the last key's event, less the
pause the page waits on purpose, to the frame that shows the first preview of the answer; measured in the page
itself, by the page's own clock. *speed mode*: one key after another, as a person types, and the answers shown
each second. Long tasks (over 50 ms) and layout shift are those that the browser reports.
"""

import argparse
import os
import platform
import random
from pathlib import Path

import numpy as np
from playwright.sync_api import Page, sync_playwright

from made_records import LOOKS, THINGS
from page_server import CHROMIUM, FLAGS, serving

PAUSE_MS = 100
KEY_MS = 90  # between keys: about 130 words of five letters in a minute

WATCH = """
window.longTasks = []; window.shift = 0; window.paints = [];
new PerformanceObserver((list) => list.getEntries().forEach((e) => window.longTasks.push(e.duration)))
    .observe({ type: 'longtask', buffered: true });
new PerformanceObserver((list) => list.getEntries().forEach((e) => {
    if (!e.hadRecentInput) window.shift += e.value;
})).observe({ type: 'layout-shift', buffered: true });
addEventListener('input', () => { window.keyedAt = performance.now(); }, true);
addEventListener('DOMContentLoaded', () => new MutationObserver(() => {
    // The title tells whose pictures are shown; it changes in the same task as the tiles, whose previews
    // are decoded before the frame is shown.
    if (document.title === window.lastTitle) return;
    window.lastTitle = document.title;
    const keyedAt = window.keyedAt;
    requestAnimationFrame(() => setTimeout(() => window.paints.push(performance.now() - keyedAt)));
}).observe(document.head, { childList: true, subtree: true, characterData: true }));
"""


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the page in Chromium.")
    parser.add_argument("library", type=Path)
    parser.add_argument("--queries", type=int, default=200)
    given = parser.parse_args()
    load = os.getloadavg()[0]
    print(f"{platform.machine()}, {os.cpu_count()} cores shared by server and browser, load {load:.1f}")
    with serving(given.library) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.add_init_script(WATCH)
        page.goto(address)
        page.get_by_test_id("preview").first.wait_for(timeout=120_000)
        typed(page, given.queries)
        speedy(page)
        browser.close()


def questions(count: int) -> list[str]:
    """Different short queries, the same in every run."""
    pairs = [f"{look} {thing}" for look in LOOKS for thing in THINGS]
    return random.Random(7).sample(pairs, count)


def typed(page: Page, count: int) -> None:
    waits = []
    box = page.get_by_test_id("search-input")
    for words in questions(count + 5):
        seen = page.evaluate("window.paints.length")
        box.press("Control+a")
        page.keyboard.type(words)
        page.wait_for_function("(seen) => window.paints.length > seen", arg=seen, polling=20)
        waits.append(page.evaluate("window.paints.at(-1)") - PAUSE_MS)
        page.wait_for_timeout(150)
    waits = waits[5:]
    p50, p95 = np.percentile(waits, [50, 95])
    print(f"keystroke (after the pause) to first preview, n={len(waits)}: p50 {p50:.1f} ms, p95 {p95:.1f} ms")
    report(page)


def speedy(page: Page) -> None:
    page.get_by_test_id("speed").click()
    box = page.get_by_test_id("search-input")
    box.fill("")
    page.wait_for_timeout(500)
    before, began = page.evaluate("[window.paints.length, performance.now()]")
    for words in questions(10):
        box.fill("")
        box.press_sequentially(words, delay=KEY_MS)
    shown, ended = page.evaluate("[window.paints.length, performance.now()]")
    rate = (shown - before) * 1000 / (ended - began)
    print(f"speed mode, a key each {KEY_MS} ms: {rate:.1f} answers shown a second")
    report(page)


def report(page: Page) -> None:
    tasks, shift = page.evaluate("[window.longTasks, window.shift]")
    print(f"  long tasks: {len(tasks)} {[round(task) for task in tasks[:10]]}, layout shift: {shift:.4f}")


if __name__ == "__main__":
    main()
