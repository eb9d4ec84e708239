"""No damage to any file of a library crashes a process, escapes as a raw exception, or uses excessive memory.

`SNAPSEEK_READ_CASES` sets how many damaged libraries are read, `SNAPSEEK_VALIDATOR_CASES` how many files of
records go through the validator; `make fuzz-read` sets both high.
"""

import json
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from snapseek.errors import FormatError
from snapseek.library.records.arrow_file import Records
from tests.support import read_fuzz, read_mutations
from tests.support.read_fuzz import Outcome
from tests.support.record_files import write_records

CASES = int(os.environ.get("SNAPSEEK_READ_CASES", "60"))
VALIDATOR_CASES = int(os.environ.get("SNAPSEEK_VALIDATOR_CASES", "1000"))
PROCESSES = 2

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs child processes by fork")


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory, encoder):
    """How each case ended; the table of it goes to standard output."""
    directory = tmp_path_factory.mktemp("fuzz")
    library = read_fuzz.make_library(directory, encoder)
    found = []
    runs = [_started(library, directory, number) for number in range(PROCESSES)]
    for process in runs:
        output, _ = process.communicate()
        assert process.returncode == 0
        found += [Outcome(**json.loads(line)) for line in output.splitlines()]
    sys.stdout.write(read_fuzz.table(found) + "\n")
    return found


def _started(library, directory, number):
    given = [library, directory / f"work{number}", number, CASES, PROCESSES]
    paths = os.pathsep.join([str(Path(__file__).parents[2]), *sys.path])
    return subprocess.Popen(
        [sys.executable, read_fuzz.__file__, *map(str, given)],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": paths},
    )


def test_every_counted_kernel_exists():
    missing = [
        name for name, (owner, attribute) in read_fuzz._KERNELS.items() if not hasattr(owner, attribute)
    ]
    assert missing == []


def test_an_undamaged_library_is_read_to_the_end(outcomes):
    whole = [one for one in outcomes if one.kind == read_fuzz.UNDAMAGED]
    assert len(whole) == PROCESSES
    for one in whole:
        assert set(one.steps.values()) == {"ok"}, one.steps


def test_no_damage_crashes_a_process(outcomes):
    assert [(one.seed, one.kind, one.signal) for one in outcomes if one.signal] == []


def test_all_damage_raises_a_snapseek_error(outcomes):
    assert [(one.seed, one.kind, one.raw) for one in outcomes if one.raw] == []


def test_memory_stays_bounded(outcomes):
    damaged = [one for one in outcomes if one.kind != read_fuzz.UNDAMAGED]
    limits = [2 * one.file_bytes + read_fuzz.RSS_MARGIN_BYTES for one in damaged]
    beyond = [one.seed for one, limit in zip(damaged, limits, strict=True) if one.rss_bytes > limit]
    assert beyond == []


def test_every_kind_of_damage_was_tried(outcomes):
    tried = {(one.kind, one.sealed) for one in outcomes}
    assert tried >= {(kind, sealed) for kind in read_fuzz.KINDS for sealed in (False, True)}


def test_validated_records_are_readable(tmp_path):
    """Each damaged file of records is refused with a FormatError, or every row of it can be read."""
    path = tmp_path / "r.arrow"
    rows = [{"caption": f"a däg {row}", "tags": ["x", "y"][: row % 3]} for row in range(40)]
    write_records(path, rows)
    whole = path.read_bytes()
    positions = read_mutations.arrow_positions(whole)
    taken, messages = 0, set()
    for seed in range(VALIDATOR_CASES):
        rng = random.Random(seed)
        data = bytearray(whole)
        read_mutations.damage_bytes(data, positions[rng.choice(list(positions))], rng)
        path.write_bytes(data)
        try:
            records = Records(path)
        except FormatError as error:
            messages.add(str(error))
            continue
        taken += 1
        for batch in records.batches:
            batch.validate(full=True)
        assert len(records.gather.get(range(len(records)))) == len(records)
    sys.stdout.write(f"validator: {VALIDATOR_CASES} files, {taken} taken, the others refused\n")
    assert all(str(path) in message and "snapseek repair" in message for message in messages)
    assert 0 < taken < VALIDATOR_CASES
