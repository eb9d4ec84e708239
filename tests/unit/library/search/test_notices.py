import json

import pytest
from PIL import Image

from snapseek.cli import main
from snapseek.library import Library
from snapseek.models import Encoder
from snapseek.models.catalogue import MULTILINGUAL, find_entry
from snapseek.models.hub.model_files import Teacher
from tests.support.model_specimens import write_split


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pictures")
    for number in range(30):
        Image.new("RGB", (20, 20), (8 * number, 255 - 8 * number, 90)).save(folder / f"{number}.png")
    Image.new("RGB", (20, 20), (90, 90, 90)).save(folder / "собака.png")
    return Library.build(folder, folder / "library", encoder=Encoder.load("starter"))


def test_a_language_that_the_model_does_not_know(library):
    hits = library.search("кошка", 5)
    (notice,) = hits.notices
    assert (notice.code, notice.model) == ("unknown_language", MULTILINGUAL)
    assert notice.text == (
        f"This model knows English, and may not understand “кошка” (Cyrillic). {MULTILINGUAL} knows many "
        "languages."
    )
    assert hits.relevant_count == 0
    assert len(hits) == 5


def test_a_word_that_is_english_too(library):
    (notice,) = library.search("chat", 5).notices
    assert notice.code == "ambiguous_language"
    assert notice.text.startswith("This model reads “chat” as English, not as French.")


def test_a_query_that_is_read_as_english(library):
    hits = library.search("rotes Auto", 5)
    (notice,) = hits.notices
    assert (notice.code, notice.model) == ("translated", None)
    assert notice.text == "Read “rotes Auto” as “red car”."
    english = library.search("red car", 5)
    assert [(hit.id, hit.score) for hit in hits] == [(hit.id, hit.score) for hit in english]
    assert hits.relevant_count == english.relevant_count


def test_each_term_is_read_as_english(library):
    (notice,) = library.search("Haus - voiture", 5).notices
    assert notice.text == "Read “Haus” as “house” and “voiture” as “car”."


def test_a_notice_repeats_no_long_query(library):
    (notice,) = library.search("Hund " * 150, 5).notices
    assert "as “dog dog" in notice.text
    assert len(notice.text) < 200
    (notice,) = library.search("Hund + Katze + Haus + Baum + Kuh", 5).notices
    assert notice.text == "Read “Hund” as “dog” and “Katze” as “cat” and “Haus” as “house” …"


def test_the_rest_of_a_query_that_is_partly_understood(library):
    translated, unknown = library.search("Haus + talo + koira", 5).notices
    assert (translated.code, unknown.code) == ("translated", "unknown_language")
    assert "“talo”" in unknown.text
    assert "Haus" not in unknown.text


@pytest.mark.parametrize("query", ["red", "taxi", "id:1", "red - blue"])
def test_other_queries_have_no_notice(library, query):
    assert library.search(query, 5).notices == ()


def test_each_term_is_looked_at(library):
    assert library.search("talo - auto", 5).notices
    assert library.search("id:1 + talo", 5).notices


def test_words_that_pictures_have_need_no_notice(library):
    found = library.search("собака", 5, mode="auto")
    assert (found.notices, found[0].why) == ((), ("file name",))
    assert library.search("собака", 5).notices
    assert library.search("кошка", 5, mode="words").notices == ()


def test_a_model_of_many_languages_has_no_notice(library, monkeypatch):
    monkeypatch.setitem(library.encoder.__dict__, "languages", None)
    assert library.search("кошка", 5).notices == ()


def test_the_languages_of_a_model(tmp_path):
    assert Encoder.load("starter").languages == {"en"}
    assert find_entry(MULTILINGUAL).languages is None
    write_split(tmp_path / "clip")
    assert Encoder.load(tmp_path / "clip").languages == {"en"}, "the tokenizer of CLIP"


@pytest.mark.parametrize(("teacher", "languages"), [("starter", {"en"}), (MULTILINGUAL, None)])
def test_a_student_knows_the_languages_of_its_teacher(teacher, languages):
    student = Encoder.load("starter")
    student.files.__dict__["teacher"] = Teacher(teacher, "0" * 64)
    assert student.languages == languages


def test_the_command_line_and_json(library, capsys):
    assert main(["search", "talo", "--json", "--library", str(library.info().path)]) == 0
    captured = capsys.readouterr()
    assert len(json.loads(captured.out)) == 20
    (line,) = [line for line in captured.err.splitlines() if "understand" in line]
    assert line.endswith(f"To get it, run: snapseek upgrade {MULTILINGUAL}")
