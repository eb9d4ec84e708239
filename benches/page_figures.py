"""What a person at the page waits for, over a large library: `make page-figures LIBRARY=...`.

    python -m benches.page_figures LIBRARY [--queries 200] [--before FOLDER]

With `--before` the built page in FOLDER is measured, too, by a server and a browser of its own. Both get the
same queries in turn, twenty at a time, so that what else the machine does meets both:

    git worktree add /tmp/before REVISION && cd /tmp/before/web && npm ci && npm run build
    make page-figures LIBRARY=... BEFORE=/tmp/before/python/snapseek/server/static

Chromium types into the page of a real server. *pause over to painted* begins when the page has waited for
the keys to rest, counted from the last key's own time stamp: a timer that runs late counts. It ends when
the first preview of the answer is presented, by the browser's element timing: after decoding, drawing and
compositing, in steps of 4 ms. *all painted* waits for the last preview that the window has space for.

*speed mode* counts two things each second. *answered*: answers that arrived and for which the browser has
begun a frame, also those with the very pictures that were there. *new pictures*: frames in which a preview
was presented that was not there before; a letter that changes nothing brings none, as with a model of whole
words. *refused* are queries without any word that the model knows. It is typed letter by letter; then whole
queries take the place of letters, so that each is another query, whatever the model knows.

Long tasks (over 50 ms) and layout shift are those that the browser reports.
"""

import argparse
import os
import platform
import random
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from playwright.sync_api import Page, Playwright, sync_playwright

from benches.made_records import LOOKS, THINGS
from tests.support.page_fixtures import without_relevance
from tests.support.page_server import CHROMIUM, FLAGS, serving

PAUSE_MS = 100
KEY_MS = 90  # between keys: about 130 words of five letters in a minute
WARM = 5
TURN = 20  # queries to one page, before the other gets the same

WATCH = """
window.longTasks = []; window.shift = 0; window.presented = []; window.keyedAt = 0;
window.answered = []; window.refused = 0;
const watch = (type, take) => new PerformanceObserver((list) => list.getEntries().forEach(take))
    .observe({ type, buffered: true });
watch('longtask', (entry) => window.longTasks.push(entry.duration));
watch('layout-shift', (entry) => { if (!entry.hadRecentInput) window.shift += entry.value; });
watch('element', (entry) => {
    if (entry.intersectionRect.height > 0) window.presented.push(entry.renderTime);
});
watch('resource', (entry) => {
    if (!entry.name.includes('/api/search?') || !entry.name.includes('&offset=0&')) return;
    if (entry.responseStatus === 400) window.refused += 1;
    // The frame after the next callback is one that was begun with the answer in it.
    else if (entry.responseStatus === 200)
        requestAnimationFrame(() => requestAnimationFrame((moment) => window.answered.push(moment)));
});
addEventListener('input', (event) => { window.keyedAt = event.timeStamp; }, true);
// Before it is painted, each preview is marked for the browser to tell when it was.
addEventListener('DOMContentLoaded', () => new MutationObserver((changes) => {
    for (const { addedNodes } of changes) for (const node of addedNodes)
        if (node.nodeType === 1) for (const image of node.querySelectorAll('.preview'))
            image.setAttribute('elementtiming', 'preview');
}).observe(document.body, { childList: true, subtree: true }));
window.measured = () => {
    const sent = performance.getEntriesByType('resource');
    const words = document.querySelector('[data-testid=search-input]').value;
    // On a busy machine keys come late, and the page searches for the first letters, too. It also looks which
    // of its examples have a good match, without an offset.
    const request = sent.find(({ name }) => /\\/api\\/search\\?.*&offset=0&/.test(name)
        && new URL(name).searchParams.get('q') === words);
    const after = window.presented.filter((moment) => request && moment >= request.responseEnd);
    if (after.length === 0) return null;
    const first = after.reduce((a, b) => Math.min(a, b)), last = after.reduce((a, b) => Math.max(a, b));
    return [window.keyedAt, request.startTime, request.responseEnd, first, last];
};
"""


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the page in Chromium.")
    parser.add_argument("library", type=Path)
    parser.add_argument("--queries", type=int, default=200)
    parser.add_argument("--before", type=Path, metavar="FOLDER", help="another built page, to compare with")
    given = parser.parse_args()
    load = os.getloadavg()[0]
    print(f"{platform.machine()}, {os.cpu_count()} cores shared by server and browser, load {load:.1f}")
    with ExitStack() as stack:
        playwright = stack.enter_context(sync_playwright())
        pages = {"this page": stack.enter_context(opened(playwright, given.library, None))}
        if given.before is not None:
            before = stack.enter_context(opened(playwright, given.library, given.before))
            pages = {"page before": before, **pages}
        typed(pages, given.queries)
        for name, page in pages.items():
            print(f"{name}:")
            speedy(page)


@contextmanager
def opened(playwright: Playwright, library: Path, static: Path | None) -> Iterator[Page]:
    """Open the page, or another built one, with a server and a browser of its own."""
    program, options = ("snapseek", []) if static is None else ("benches.other_page", [f"--page={static}"])
    with serving(library, program, options) as address:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.add_init_script(WATCH)
        without_relevance(page)  # the text tower of a generated library knows only some of the words
        page.goto(address)
        page.get_by_test_id("preview").first.wait_for(timeout=120_000)
        yield page
        browser.close()


def questions(count: int) -> list[str]:
    """Different short queries, the same in every run."""
    pairs = [f"{look} {thing}" for look in LOOKS for thing in THINGS]
    return random.Random(7).sample(pairs, count)


def typed(pages: dict[str, Page], count: int) -> None:
    """Type the same queries into each page, some to one and then the same to the other."""
    queries = questions(count + WARM)
    for page in pages.values():
        ask(page, queries[:WARM])
        page.evaluate("window.longTasks = [], window.shift = 0")
    moments: dict[str, list[list[float]]] = {name: [] for name in pages}
    for start in range(WARM, len(queries), TURN):
        for name, page in pages.items():
            moments[name] += ask(page, queries[start : start + TURN])
    first_painted = {name: waits_of(name, found) for name, found in moments.items()}
    for name, page in pages.items():
        print(f"{name}:")
        report(page)
    if len(pages) > 1:
        before, after = (np.percentile(waits, [50, 95]) for waits in first_painted.values())
        p50, p95 = after / before
        print(f"first preview, this page / page before: p50 {p50:.2f}, p95 {p95:.2f}")


def ask(page: Page, queries: Sequence[str]) -> list[list[float]]:
    """Type queries and return the moments of each: keyed, requested, answered, first and last preview."""
    box = page.get_by_test_id("search-input")
    moments = []
    for words in queries:
        page.evaluate("window.presented = [], performance.clearResourceTimings()")
        box.press("Control+a")
        page.keyboard.type(words)
        page.wait_for_function("() => window.measured() !== null", polling=50, timeout=10_000)
        page.wait_for_timeout(150)
        moments.append(page.evaluate("window.measured()"))
    return moments


def waits_of(name: str, moments: list[list[float]]) -> np.ndarray[Any, Any]:
    """Print where the time went, and return the waits from the end of the pause to the first preview."""
    keyed, requested, answered, first, last = np.array(moments).T
    over = keyed + PAUSE_MS
    print(f"{name}: typed, n={len(keyed)}, ms:")
    for part, waits in {
        "pause over -> first preview painted": first - over,
        "pause over -> all previews painted": last - over,
        "  pause over -> requested": requested - over,
        "  requested -> answered": answered - requested,
        "  answered -> first preview painted": first - answered,
        "last key -> first preview painted": first - keyed,
    }.items():
        print(f"  {part:38}{spread(waits)}")
    return first - over


def speedy(page: Page) -> None:
    page.get_by_test_id("latency").click()
    page.get_by_test_id("preview-only").click()
    page.mouse.move(0, 0)
    box = page.get_by_test_id("search-input")

    def letters() -> None:
        for words in questions(10):
            box.press("Control+a")
            box.press_sequentially(words, delay=KEY_MS)

    def queries() -> None:
        # Paced by the page's own clock: what it takes to send a command is no pause of the typist.
        page.evaluate(
            """async ([queries, pause]) => {
                const box = document.querySelector('[data-testid=search-input]');
                for (const words of queries) {
                    box.value = words;
                    box.dispatchEvent(new InputEvent('input', { inputType: 'insertText', bubbles: true }));
                    await new Promise((done) => setTimeout(done, pause));
                }
            }""",
            [questions(100), KEY_MS],
        )

    for what, go in {"a key": letters, "a whole query": queries}.items():
        box.fill("")
        page.wait_for_timeout(500)
        page.evaluate("longTasks = [], shift = 0, presented = [], answered = [], refused = 0")
        began = page.evaluate("performance.now()")
        go()
        page.wait_for_timeout(100)
        presented, answered, refused, ended = page.evaluate(
            "[presented, answered, refused, performance.now()]"
        )
        rates = [len(set(moments)) * 1000 / (ended - began) for moments in (answered, presented)]
        print(
            f"speed mode, {what} each {KEY_MS} ms: {rates[0]:.1f} answered a second, "
            f"{rates[1]:.1f} with new pictures; {refused} refused"
        )
        report(page)


def spread(waits: np.ndarray[Any, Any]) -> str:
    p50, p95 = np.percentile(waits, [50, 95])
    return f"p50 {p50:6.1f}  p95 {p95:6.1f}  max {waits.max():6.1f}"


def report(page: Page) -> None:
    tasks, shift = page.evaluate("[window.longTasks, window.shift]")
    print(f"  long tasks: {len(tasks)} {[round(task) for task in tasks[:20]]}, layout shift: {shift:.4f}")


if __name__ == "__main__":
    main()
