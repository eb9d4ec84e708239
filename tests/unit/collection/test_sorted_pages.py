"""Pages of a sorted list over partitions, compared with one library at every depth."""

import numpy as np
import pytest

from snapseek.collection import Collection, create_collection, partition_ranker, sorted_pages
from snapseek.errors import OutOfRangeError
from snapseek.search_request import SORTS
from tests.support.partition_servers import partition_servers
from tests.support.partitions import pictures, split

ROWS = 90


@pytest.fixture(scope="module")
def pair(tmp_path_factory, encoder):
    rng = np.random.default_rng(3)
    vectors, columns = pictures(rng, ROWS, encoder.dim)
    cuts = np.array_split(rng.permutation(ROWS), [5, 50])
    return split(tmp_path_factory.mktemp("sorted"), encoder, vectors, columns, [np.sort(cut) for cut in cuts])


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """All pages are deep ones, and samples are coarse."""
    monkeypatch.setattr(partition_ranker, "_MAX_FIRST", 0)
    monkeypatch.setattr(sorted_pages, "_SAMPLES", 4)
    monkeypatch.setattr(sorted_pages, "_PAGE", 7)


def keys_of(hits):
    return [hit.meta["key"] for hit in hits], hits.total


@pytest.mark.parametrize("sort", [sort for sort in SORTS if sort != "relevance"])
@pytest.mark.parametrize("where", [None, "rating:>2", "caption:nothing"])
def test_every_page_is_that_of_one_library(sort, where, pair):
    collection, whole = pair
    everything, total = keys_of(whole.browse(200, sort=sort, where=where))
    for offset in range(0, ROWS + 2, 3):
        for limit in (1, 4, 20):
            found = keys_of(collection.browse(limit, offset=offset, sort=sort, where=where))
            assert found == (everything[offset : offset + limit], total)


def test_servers_answer_the_same(pair, tmp_path, encoder):
    collection, whole = pair
    with partition_servers(*collection._libraries()) as servers:
        create_collection(tmp_path / "c.json", [[server.address] for server in servers])
        router = Collection.open(tmp_path / "c.json", encoder=encoder)
        expected = keys_of(whole.browse(30, offset=31, sort="newest"))
        assert keys_of(router.browse(30, offset=31, sort="newest")) == expected
        router.close()


def test_a_list_that_is_too_long_says_what_to_do(pair, monkeypatch):
    monkeypatch.setattr(sorted_pages, "MAX_K", 3)
    with pytest.raises(OutOfRangeError, match="select some with a filter"):
        pair[0].browse(20, offset=40, sort="newest")


def test_a_list_may_be_longer_than_an_answer_of_a_partition(pair, monkeypatch):
    monkeypatch.setattr(partition_ranker, "MAX_K", 7)
    collection, whole = pair
    assert keys_of(collection.browse(200)) == keys_of(whole.browse(200))
    assert keys_of(collection.browse(10**6, offset=11)) == keys_of(whole.browse(10**6, offset=11))


def test_a_sorted_list_ends_where_a_partition_miscounts():
    class Liar:
        requests = 0

        def ask_all(self, *_):
            return {0: (10**9, np.arange(4), np.arange(4))}

        def ask(self, *_):
            self.requests += 1
            nothing = np.zeros(0, np.int64)
            return {0: (0, (0, nothing, nothing))}

    liar = Liar()
    pages = sorted_pages.SortedPages(liar, None, "newest", lambda *_: None)
    assert pages.rows(0, 10**9) == ([], 10**9)
    assert liar.requests == 1
