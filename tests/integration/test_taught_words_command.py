"""`snapseek teach`, `concepts` and `duplicates`."""

import csv
import io
import json

import pytest
from PIL import Image

from snapseek.cli import main
from snapseek.library import Library


@pytest.fixture
def indexed(folder, tiny_model, capsys):
    with Image.open(folder / "red.jpg") as image:
        image.resize((30, 20)).save(folder / "red small.png")
    assert main(["index", str(folder), "--model", str(tiny_model), "--threads", "1"]) == 0
    capsys.readouterr()
    return folder


@pytest.fixture
def ids(indexed):
    library = Library.open(indexed / ".snapseek")
    return {hit.meta["name"].partition(".")[0]: str(hit.id) for hit in library.browse(9)}


def run(capsys, *arguments):
    status = main(list(arguments))
    printed = capsys.readouterr()
    return status, printed.out, printed.err


def test_a_word_is_taught_searched_renamed_exported_and_forgotten(indexed, ids, capsys, tmp_path):
    where = ["--library", str(indexed)]
    status, _, said = run(capsys, "teach", "rex", ids["blue"], "--not", ids["red"], ids["white"], *where)
    assert status == 0
    assert "rex: 1 examples, 2 counterexamples" in said
    assert run(capsys, "search", "rex", "-k", "1", "--paths", *where)[1].strip().endswith("blue.webp")
    assert "blue.webp" in run(capsys, "search", "is:rex", "--paths", *where)[1]
    assert run(capsys, "teach", "rex", "--unmark", ids["white"], *where)[0] == 0
    assert run(capsys, "concepts", *where)[1].split() == ["rex", "1", "examples,", "1", "counterexamples"]
    assert run(capsys, "concepts", "rename", "rex", "our dog", *where)[0] == 0
    shown = json.loads(run(capsys, "concepts", "export", "-", *where)[1])
    assert [concept["name"] for concept in shown["concepts"]] == ["our dog"]
    assert shown["concepts"][0]["examples"][0]["uri"].endswith("blue.webp")
    assert run(capsys, "concepts", "export", str(tmp_path / "words.json"), *where)[0] == 0
    assert json.loads((tmp_path / "words.json").read_text()) == shown
    assert run(capsys, "concepts", *where, "delete", "our dog")[0] == 0
    assert run(capsys, "concepts", *where)[1] == ""


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["teach", "rex"], "ids of pictures"),
        (["teach", "rex", "999"], "999"),
        (["teach", "a:b", "1"], "letters and digits"),
        (["teach", "rex", "1", "--not", "1"], "two marks"),
        (["concepts", "delete", "rex"], "taught concept"),
        (["concepts", "rename", "rex", "dot"], "taught concept"),
        (["duplicates", "--where", "some words"], "filters such as"),
    ],
)
def test_a_mistake_is_one_line(indexed, capsys, arguments, said):
    where = [str(indexed)] if arguments[0] == "duplicates" else ["--library", str(indexed)]
    status, out, err = run(capsys, *arguments, *where)
    assert (status, out) == (1, "")
    assert said in err
    assert "Traceback" not in err


def test_an_unknown_word_deletes_none_of_the_others(indexed, ids, capsys):
    where = ["--library", str(indexed)]
    run(capsys, "teach", "rex", ids["blue"], *where)
    assert run(capsys, "concepts", "delete", "rex", "dot", *where)[0] == 1
    assert run(capsys, "concepts", *where)[1].startswith("rex")


def test_duplicates_are_listed_as_text_json_csv_and_paths(indexed, capsys):
    # Previews of plain colours have no pattern: only nearly equal vectors count.
    status, out, err = run(capsys, "duplicates", str(indexed))
    assert status == 0
    best, other = out.splitlines()
    assert best.startswith(f"{indexed / 'red.jpg'}  60x40")
    assert other.startswith(f"    {indexed / 'red small.png'}  30x20")
    assert "Nothing was deleted" in err
    found = json.loads(run(capsys, "duplicates", str(indexed), "--json")[1])
    (group,) = found["groups"]
    assert (found["others"], group["best"]["path"]) == (1, str(indexed / "red.jpg"))
    assert group["free_bytes"] == found["free_bytes"] == (indexed / "red small.png").stat().st_size
    rows = list(csv.DictReader(io.StringIO(run(capsys, "duplicates", str(indexed), "--csv")[1])))
    assert [(row["group"], row["role"]) for row in rows] == [("1", "best"), ("1", "other")]
    paths = run(capsys, "duplicates", str(indexed), "--paths")[1]
    assert paths.splitlines() == [str(indexed / "red small.png")]
    assert run(capsys, "duplicates", str(indexed), "--where", "type:gif")[1] == ""
