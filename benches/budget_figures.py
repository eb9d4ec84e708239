"""Measure the recall that each budget of bytes a vector allows, with every row scored.

    python -m benches.budget_figures target/clip --rows 150000

The folder is written by `benches/clip_like.py`.
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np

from benches.calibration_figures import NEIGHBOURS, recalls, truth_of
from snapseek import VectorIndex

BUDGETS = (86, 89, 112, 144, 176, 200, 221, 240, 285, 350, 400, 450, 500, 550, 600, 605)


def main() -> None:
    """Build an index for each budget, and search."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rows", type=int, default=150_000)
    parser.add_argument("--queries", type=int, default=1000)
    parser.add_argument("--budgets", type=int, nargs="*", default=BUDGETS, help="bytes a vector")
    args = parser.parse_args()
    base = np.load(args.folder / "base.npy", mmap_mode="r")[: args.rows]
    train = np.load(args.folder / "text_train.npy", mmap_mode="r")
    queries = np.load(args.folder / "text.npy")[: args.queries].astype(np.float32)
    truth = truth_of(base, queries)
    print("budget | refine | bytes a vector | text recall@10 | effort 0.95: recall, us a query | build s")
    with tempfile.TemporaryDirectory() as home:
        for budget in args.budgets:
            began_s = time.process_time()
            index = VectorIndex.build(
                base, train, path=Path(home) / "a.snap", memory=budget * len(base), seed=0
            )
            built_s = time.process_time() - began_s
            recall = recalls(index.search(queries, NEIGHBOURS, exact=True)[0], truth).mean()
            began_s = time.process_time()
            found = np.concatenate([index.search(q, NEIGHBOURS, effort=0.95)[0] for q in queries])
            micros = 1e6 * (time.process_time() - began_s) / len(queries)
            info = index.info()
            print(
                f"{budget} | {info.refine} | {info.size_bytes / len(index):.1f} | {recall:.4f} | "
                f"{recalls(found, truth).mean():.4f}, {micros:.0f} | {built_s:.1f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
