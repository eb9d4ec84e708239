"""What was measured, as a table, a JSON file and a plot."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from importlib import util
from pathlib import Path

from benches.rivals.worker import Built

TARGETS = (0.95, 0.98, 0.995)
IMAGE_TARGETS = (0.96, 0.99)
BYTE_TARGETS = (0.80, 0.90, 0.95, 0.98)
REFERENCE = "ours"


@dataclass(frozen=True)
class Measured:
    """One point of one rival: recall@10 and milliseconds over the same queries for everybody."""

    label: str
    text_recall: float
    image_recall: float
    text_p50_ms: float
    text_p95_ms: float
    image_p50_ms: float


@dataclass(frozen=True)
class Outcome:
    """Everything about one rival on one set."""

    name: str
    about: str
    version: str
    bytes_per_vector: float
    built: Built
    open_s: float
    search_peak_rss_bytes: int
    search_anonymous_bytes: int
    points: tuple[Measured, ...]

    def fastest(self, text_recall: float) -> Measured | None:
        """The fastest point that reaches the recall; None when none does."""
        reached = [point for point in self.points if point.text_recall >= text_recall]
        return min(reached, key=lambda point: point.text_p50_ms, default=None)

    def fastest_for_images(self, recall: float) -> Measured | None:
        """The same for image queries."""
        reached = [point for point in self.points if point.image_recall >= recall]
        return min(reached, key=lambda point: point.image_p50_ms, default=None)

    @property
    def best_recall(self) -> float:
        return max(point.text_recall for point in self.points)


def write_report(out: Path, header: dict[str, str], outcomes: list[Outcome], absent: dict[str, str]) -> str:
    """Writes peers.md, peers.json and, where matplotlib is installed, peers.png; the text of the first."""
    text = markdown(header, outcomes, absent)
    (out / "peers.md").write_text(text, encoding="utf-8")
    record = {"header": header, "outcomes": [asdict(outcome) for outcome in outcomes], "absent": absent}
    (out / "peers.json").write_text(json.dumps(record, indent=1), encoding="utf-8")
    if util.find_spec("matplotlib"):
        draw(out / "peers.png", header, outcomes)
    return text


def markdown(header: dict[str, str], outcomes: list[Outcome], absent: dict[str, str]) -> str:
    parts = ["# Vector indexes side by side", "\n".join(f"- {key}: {value}" for key, value in header.items())]
    parts += [_speed_table(outcomes, target) for target in TARGETS]
    parts += [_image_table(outcomes, target) for target in IMAGE_TARGETS]
    parts += [_bytes_table(outcomes), _build_table(outcomes), _points_table(outcomes)]
    if absent:
        parts.append("## Left out\n\n" + "\n".join(f"- {name}: {why}" for name, why in absent.items()))
    return "\n\n".join(parts) + "\n"


def _speed_table(outcomes: list[Outcome], target: float) -> str:
    """Ratio: our time over theirs, so that below one we are faster."""
    ours = next((outcome.fastest(target) for outcome in outcomes if outcome.name == REFERENCE), None)
    rows = [_speed_row(outcome, outcome.fastest(target), ours) for outcome in outcomes]
    heads = (
        "index",
        "setting",
        "text recall@10",
        "p50 ms",
        "p95 ms",
        "ours / its p50",
        "image recall@10",
        "B/vector",
    )
    return _table(f"Text recall@10 of at least {target}, fastest setting", heads, rows)


def _speed_row(outcome: Outcome, point: Measured | None, ours: Measured | None) -> list[str]:
    size = f"{outcome.bytes_per_vector:.0f}"
    if point is None:
        return [outcome.name, f"not reached (best {outcome.best_recall:.3f})", *["-"] * 5, size]
    ratio = f"{ours.text_p50_ms / point.text_p50_ms:.2f}" if ours else "-"
    times = [f"{point.text_p50_ms:.3f}", f"{point.text_p95_ms:.3f}", ratio]
    return [outcome.name, point.label, f"{point.text_recall:.4f}", *times, f"{point.image_recall:.4f}", size]


def _image_table(outcomes: list[Outcome], target: float) -> str:
    fastest = {outcome.name: outcome.fastest_for_images(target) for outcome in outcomes}
    ours = fastest.get(REFERENCE)
    rows = []
    for outcome in outcomes:
        point, size = fastest[outcome.name], f"{outcome.bytes_per_vector:.0f}"
        if point is None:
            rows.append([outcome.name, "not reached", "-", "-", "-", size])
            continue
        ratio = f"{ours.image_p50_ms / point.image_p50_ms:.2f}" if ours else "-"
        times = [f"{point.image_recall:.4f}", f"{point.image_p50_ms:.3f}", ratio]
        rows.append([outcome.name, point.label, *times, size])
    heads = ("index", "setting", "image recall@10", "p50 ms", "ours / its p50", "B/vector")
    return _table(f"Image recall@10 of at least {target}, fastest setting", heads, rows)


def _bytes_table(outcomes: list[Outcome]) -> str:
    ordered = sorted(outcomes, key=lambda outcome: outcome.bytes_per_vector)
    rows = [
        [str(target), *(_smallest(ordered, target, only_ours) for only_ours in (True, False))]
        for target in BYTE_TARGETS
    ]
    return _table("Fewest bytes a vector for a text recall@10", ("recall", "ours", "any other"), rows)


def _smallest(ordered: list[Outcome], target: float, only_ours: bool) -> str:
    for outcome in ordered:
        if outcome.name.startswith(REFERENCE) == only_ours and outcome.best_recall >= target:
            return f"{outcome.bytes_per_vector:.0f} B ({outcome.name})"
    return "not reached"


def _build_table(outcomes: list[Outcome]) -> str:
    rows = [
        [
            f"{outcome.name} {outcome.version}",
            outcome.about,
            f"{outcome.built.seconds:.0f}",
            f"{outcome.built.processor_seconds:.0f}",
            _gigabytes(outcome.built.peak_rss_bytes, outcome.built.anonymous_bytes),
            f"{1000 * outcome.open_s:.0f}",
            _gigabytes(outcome.search_peak_rss_bytes, outcome.search_anonymous_bytes),
        ]
        for outcome in outcomes
    ]
    heads = ("index", "what", "build s", "of processors", "build GB", "open ms", "search GB")
    return _table("Building and opening (GB: peak resident / of it anonymous)", heads, rows)


def _points_table(outcomes: list[Outcome]) -> str:
    rows = [
        [outcome.name, point.label, *(f"{value:{form}}" for value, form in _values(point))]
        for outcome in outcomes
        for point in outcome.points
    ]
    heads = ("index", "setting", "text recall", "text p50 ms", "text p95 ms", "image recall", "image p50 ms")
    return _table("Every setting", heads, rows)


def _values(point: Measured) -> tuple[tuple[float, str], ...]:
    text = (point.text_recall, ".4f"), (point.text_p50_ms, ".3f"), (point.text_p95_ms, ".3f")
    return *text, (point.image_recall, ".4f"), (point.image_p50_ms, ".3f")


def _table(title: str, heads: Iterable[str], rows: list[list[str]]) -> str:
    lines = ["| " + " | ".join(cells) + " |" for cells in (list(heads), *rows)]
    lines.insert(1, "|---" * len(tuple(heads)) + "|")
    return f"## {title}\n\n" + "\n".join(lines)


def _gigabytes(resident: int, anonymous: int) -> str:
    return f"{resident / 1e9:.2f} / {anonymous / 1e9:.2f}" if resident else "-"


def draw(path: Path, header: dict[str, str], outcomes: list[Outcome]) -> None:
    """Left: recall against time, the outer edge of each. Right: bytes against the best recall."""
    import matplotlib as mpl

    mpl.use("agg")
    from matplotlib import pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(13, 5.5), layout="constrained")
    for outcome in outcomes:
        edge = frontier(outcome.points)
        style = {"marker": "o", "linewidth": 2.5 if outcome.name.startswith(REFERENCE) else 1.2}
        times, recalls = [p.text_p50_ms for p in edge], [p.text_recall for p in edge]
        left.plot(times, recalls, label=outcome.name, markersize=4, **style)
        right.plot([outcome.bytes_per_vector], [outcome.best_recall], "o", label=outcome.name)
        right.annotate(outcome.name, (outcome.bytes_per_vector, outcome.best_recall), fontsize=8)
    left.set(xscale="log", xlabel="ms a query, p50, one thread", ylabel="text recall@10", ylim=(0.7, 1.002))
    right.set(xscale="log", xlabel="bytes a vector on disk", ylabel="best text recall@10")
    left.legend(fontsize=8)
    for axes in (left, right):
        axes.grid(visible=True, alpha=0.3)
    figure.suptitle(f"{header['set']}, {header['cpu']}", fontsize=10)
    figure.savefig(path, dpi=130)
    plt.close(figure)


def frontier(points: Iterable[Measured]) -> list[Measured]:
    """The points that no other beats in both time and recall, fast to slow."""
    edge: list[Measured] = []
    for point in sorted(points, key=lambda point: (point.text_p50_ms, -point.text_recall)):
        if not edge or point.text_recall > edge[-1].text_recall:
            edge.append(point)
    return edge
