"""A library is taught words, which then count in queries and filters."""

import json
import shutil

import numpy as np
import pytest

from snapseek import Encoder, Library
from snapseek.errors import InputError, ItemNotFoundError, LibraryBusyError, UnknownChoiceError
from snapseek.library import Concept
from snapseek.library.concepts import edit
from snapseek.library.storage.concept_table import MAX_CONCEPTS
from snapseek.library.storage.database import Database
from snapseek.library.storage.shard_files import exclusive_writer


@pytest.fixture(name="library")
def copied_library(library, tmp_path, encoder):
    """A library of its own for each test."""
    shutil.copytree(library.info().path, tmp_path / "l")
    return Library.open(tmp_path / "l", encoder=encoder)


@pytest.fixture
def ids(library):
    return {hit.meta["name"].partition(".")[0]: hit.id for hit in library.browse(9)}


def names(hits):
    return [hit.meta["name"].partition(".")[0] for hit in hits]


def test_a_taught_name_finds_what_its_examples_show(library, ids):
    concept = library.teach("Rex", [ids["blue"]], [ids["red"]])
    assert concept == Concept("Rex", (ids["blue"],), (ids["red"],))
    assert library.concepts() == [concept]
    assert names(library.search("rex", 1)) == ["blue"]
    assert names(library.search("REX", 1, mode="auto")) == ["blue"]
    last = library.search("- rex + green", 6)[-1]
    assert names([last]) == ["blue"]


def test_a_name_counts_among_other_words(library, ids):
    library.teach("rex", [ids["blue"]])
    alone, both = library.search("green", 6), library.search("rex and green", 6)
    rank = {kind: names(hits).index("blue") for kind, hits in (("alone", alone), ("both", both))}
    assert rank["both"] < rank["alone"]
    assert both.relevant_count is None


def test_is_selects_what_shows_it_and_its_negation_the_rest(library, ids):
    library.teach("rex", [ids["blue"]], [ids["red"], ids["white"]])
    found = library.search("is:rex", 9)
    assert "blue" in names(found)
    assert "red" not in names(found)
    assert found.filters == ("is:rex",)
    others = library.browse(9, where="-is:Rex")
    assert sorted(names(found) + names(others)) == sorted(ids)
    assert names(library.browse(9, where={"is": "rex"})) == names(library.browse(9, where="is:rex"))
    assert set(names(library.search("red is:rex", 9))) == set(names(found))
    assert library.search("is:rex -is:rex", 9) == []


def test_marked_pictures_are_what_their_marks_say(library, ids):
    library.teach("rex", [ids["blue"], ids["red"]], [ids["green"], ids["white"], ids["black"]])
    assert {"blue", "red"} <= set(names(library.search("is:rex", 9)))
    assert not {"green", "white", "black"} & set(names(library.search("is:rex", 9)))


def test_two_names_are_alternatives_in_one_filter(library, ids):
    library.teach("rex", [ids["blue"]], [ids["red"]])
    library.teach("our house", [ids["red"]], [ids["blue"]])
    assert {"blue", "red"} <= set(names(library.search('is:rex,"our house"', 9)))


def test_the_line_of_a_name_alone_is_that_of_its_marks(library, ids):
    library.teach("rex", [ids["blue"]], [ids["red"], ids["white"]])
    count = library.search("rex", 6).relevant_count
    assert count is not None
    assert 1 <= count <= 3


@pytest.mark.parametrize("query", ["is:bella", "red is:bella", "is:r"])
def test_an_unknown_name_in_a_filter_is_refused(library, ids, query):
    library.teach("dot", [ids["blue"]])
    with pytest.raises(UnknownChoiceError, match="taught"):
        library.search(query)


def test_the_beginning_of_a_name_in_a_filter_is_unfinished(library, ids):
    library.teach("rex", [ids["blue"]])
    hits = library.search("red is:re", 9)
    assert hits.unfinished.text == "is:re"
    assert hits.total == 6


def test_marks_add_up_and_a_new_mark_replaces_the_old_one(library, ids):
    library.teach("rex", [ids["blue"]])
    library.teach("rex", [ids["green"]], [ids["red"]])
    assert library.concept("rex").examples == tuple(sorted((ids["blue"], ids["green"])))
    library.teach("REX", counterexamples=[ids["green"]])
    assert library.concept("rex").examples == (ids["blue"],)
    library.teach("rex", unmark=[ids["green"], ids["red"]])
    assert library.concept("rex") == Concept("rex", (ids["blue"],), ())


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (("rex", []), InputError),
        (("rex", [], [1]), InputError),
        (("rex", [1], [1]), InputError),
        (("rex", [999]), ItemNotFoundError),
        (("rex", [1], [999]), ItemNotFoundError),
        (("rex", [2**70]), InputError),
        (("rex", ["1"]), InputError),
        (("rex", [True]), InputError),
        (("rex", "12"), InputError),
        (("rex", [[1]]), InputError),
        (("rex", [1, 1.0]), InputError),
        (("rex", 1), InputError),
        (("", [1]), InputError),
        (("a:b", [1]), InputError),
    ],
)
def test_impossible_marks_change_nothing(library, arguments, error):
    before = library.version
    with pytest.raises(error):
        library.teach(*arguments)
    assert library.concepts() == []
    assert library.version == before


def test_the_last_example_stays(library, ids):
    library.teach("rex", [ids["blue"]])
    for change in ({"unmark": [ids["blue"]]}, {"counterexamples": [ids["blue"]]}):
        with pytest.raises(InputError, match="at least one picture"):
            library.teach("rex", **change)
    assert library.concept("rex").examples == (ids["blue"],)


def test_a_name_is_changed_and_forgotten(library, ids):
    library.teach("rex", [ids["blue"]])
    library.teach("dot", [ids["red"]])
    with pytest.raises(InputError, match="no concept has"):
        library.rename_concept("rex", "DOT")
    assert library.rename_concept("rex", "Rex the Dog").name == "Rex the Dog"
    assert names(library.search("rex the dog", 1)) == ["blue"]
    library.delete_concept("dot")
    assert [concept.name for concept in library.concepts()] == ["Rex the Dog"]
    for name in ("dot", "", 5):
        with pytest.raises(UnknownChoiceError):
            library.delete_concept(name)


def test_each_change_gives_a_new_version(library, ids):
    versions = [library.version]
    library.teach("rex", [ids["blue"]])
    versions.append(library.version)
    library.rename_concept("rex", "dot")
    versions.append(library.version)
    library.delete_concept("dot")
    versions.append(library.version)
    assert len(set(versions)) == 4


def test_too_many_concepts_are_refused(library, ids, monkeypatch):
    monkeypatch.setattr(edit, "MAX_CONCEPTS", 2)
    monkeypatch.setattr(edit, "MAX_MARKS", 2)
    assert MAX_CONCEPTS > 2
    for name in ("dot", "rex"):
        library.teach(name, [ids["blue"]])
    with pytest.raises(InputError, match="at most 2 concepts"):
        library.teach("bella", [ids["blue"]])
    library.teach("dot", [ids["red"]])
    with pytest.raises(InputError, match="at most 2 marked"):
        library.teach("dot", [ids["green"]])


def test_an_upgrade_learns_the_word_again_from_its_examples(library, ids, tmp_path):
    library.teach("rex", [ids["blue"]], [ids["red"]])
    before = library.concepts()
    library.upgrade(Encoder.load("starter"), threads=1)
    again = Library.open(tmp_path / "l")
    assert again.concepts() == before
    assert names(again.search("rex", 1)) == ["blue"]
    assert "blue" in names(again.search("is:rex", 9))


def test_a_word_whose_examples_are_gone_means_its_words_again(library, ids):
    library.teach("red", [ids["blue"]])
    assert names(library.search("red", 1)) == ["blue"]
    library.remove(ids["blue"])
    assert names(library.search("red", 1)) == ["red"]
    assert library.concept("red").examples == (ids["blue"],)
    library.teach("zzzz", [ids["green"]])
    library.remove(ids["green"])
    assert library.search("is:zzzz", 9).total <= len(library)


def test_another_object_sees_the_word_after_a_refresh(library, ids, tmp_path, encoder):
    other = Library.open(tmp_path / "l", encoder=encoder)
    library.teach("rex", [ids["blue"]])
    assert other.refresh()
    assert names(other.search("rex", 1)) == ["blue"]


def test_a_busy_library_says_so(library, ids, tmp_path, monkeypatch):
    monkeypatch.setattr("snapseek.library.storage.database.BUSY_TIMEOUT_S", 0.05)
    with exclusive_writer(tmp_path / "l"), pytest.raises(LibraryBusyError):
        library.teach("rex", [ids["blue"]])


def test_a_library_without_the_tables_gets_them_from_the_next_writer(library, ids, tmp_path, encoder):
    with exclusive_writer(tmp_path / "l") as database, database.transaction():
        database.connection.execute("DROP TABLE concept_marks")
        database.connection.execute("DROP TABLE concepts")
    old = Library.open(tmp_path / "l", encoder=encoder)
    assert old.concepts() == []
    assert old.search("red", 1)
    old.teach("rex", [ids["blue"]])
    assert [concept.name for concept in Library.open(tmp_path / "l").concepts()] == ["rex"]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE concepts SET name = ''",
        "UPDATE concepts SET key = substr(hex(zeroblob(2000)), 1, 1001)",
        "UPDATE concept_marks SET is_example = 2",
    ],
)
def test_a_damaged_table_is_an_error_of_the_library(library, ids, tmp_path, statement):
    library.teach("rex", [ids["blue"]])
    with exclusive_writer(tmp_path / "l") as database, database.transaction():
        database.connection.execute(statement)
    with pytest.raises(Exception, match="damaged"), Database.open(tmp_path / "l") as database:
        database.concepts.all()


def test_the_export_names_the_marked_pictures(library, ids, tmp_path):
    library.teach("rex", [ids["blue"]], [ids["red"]])
    assert library.export_concepts(tmp_path / "words.json") == 1
    (found,) = json.loads((tmp_path / "words.json").read_text())["concepts"]
    assert found["name"] == "rex"
    assert found["examples"][0]["id"] == ids["blue"]
    assert found["examples"][0]["uri"].endswith("blue.webp")
    assert found["counterexamples"][0]["uri"].endswith("red.jpg")


def test_a_query_vector_of_a_name_is_its_direction(library, ids):
    library.teach("rex", [ids["blue"]])
    snapshot = library.snapshot()
    vector = snapshot.concepts.embed("rex", library.encoders.lazy("full", snapshot))
    np.testing.assert_allclose(vector, snapshot.concepts.trained("rex").vector, atol=1e-6)
    assert snapshot.concepts.embed("green", library.encoders.lazy("full", snapshot)) is None
