"""snapseek.library.reader: the texts of waiting requests are embedded together."""

from snapseek.library import Library, Term
from snapseek.search_request import SearchRequest


class RecordingEncoder:
    provider = "CPU"

    def __init__(self, encoder):
        self.space = encoder.space
        self.batches = []

    def embed_ahead(self, texts):
        self.batches.append(texts)


def test_the_texts_of_several_requests_are_embedded_together(library, encoder):
    recorder = RecordingEncoder(encoder)
    opened = Library.open(library.snapshot().path, encoder=recorder)
    opened.embed_ahead(
        [
            SearchRequest("dog + cat year:2021"),
            SearchRequest("image:secret.jpg", local_files=False),
            SearchRequest(terms=(Term("bird"), Term(3)), model="fast"),
            SearchRequest("only in captions", mode="words"),
        ]
    )
    assert recorder.batches == [["dog", "cat"], ["bird"]]


def test_a_request_that_fails_is_left_to_its_search(library, encoder):
    recorder = RecordingEncoder(encoder)
    opened = Library.open(library.snapshot().path, encoder=recorder)
    opened.embed_ahead([SearchRequest("dog size:nonsense"), SearchRequest("cat")])
    assert recorder.batches == [["cat"]]
