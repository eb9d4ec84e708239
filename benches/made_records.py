"""Made-up records of pictures, as many as are wanted: row `n` is the same in every run.

Captions are short sentences over some three hundred words, the nouns of them as uneven as in real captions,
so that words, filters and suggestions have something to find. Previews and colours are real: those of the
demo pictures and of parts of them.
"""

import statistics
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
from PIL import Image, ImageOps

from snapseek.images import make_preview, open_image
from snapseek.sources import find_pictures

PICTURES = Path(__file__).parents[1] / "demo" / "pictures"
LICENCES = ("CC0", "CC-BY-4.0", "CC-BY-SA-4.0", "unknown")
FIRST_DAY = datetime(2015, 1, 1, tzinfo=UTC)
SPAN_S = 10 * 365 * 86_400
PARTS_OF_A_PICTURE = 14
_SMALLEST_PART = 0.45


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


LOOKS = _words(
    "red blue green yellow white black orange purple pink brown grey golden silver turquoise small large "
    "tall tiny huge old new broken wooden stone metal glass paper plastic empty crowded quiet busy bright "
    "dark wet dry frozen dusty shiny rusty striped spotted painted sleeping running jumping flying "
    "smiling tired young wild tame fresh ripe steaming foggy snowy sunny rainy windy abandoned modern "
    "medieval"
)
THINGS = _words(
    "dog cat horse boat gate barn car bicycle tree flower bird child woman man bridge tower church beach "
    "mountain river lake waterfall forest road train bus truck aeroplane balloon kite umbrella bench "
    "chair table lamp window stairs roof chimney fence gate garden fountain statue castle lighthouse "
    "windmill barn tractor cow sheep goat pig duck swan goose owl eagle parrot pigeon gull fish whale "
    "dolphin seal turtle crab butterfly bee spider frog lizard snake elephant lion tiger bear wolf fox "
    "deer rabbit squirrel mouse monkey zebra giraffe camel apple pear banana lemon cherry grape melon "
    "tomato pumpkin mushroom bread cake cheese soup salad pizza coffee tea wine bottle cup plate spoon "
    "knife basket box book newspaper letter map clock camera guitar piano violin drum ball racket "
    "skateboard surfboard ski sledge tent backpack hat scarf glove boot shoe dress coat shirt ring "
    "necklace mirror candle fire smoke cloud rainbow moon star sunset storm wave sand rock cave island "
    "harbour market street square station airport tunnel field meadow vineyard desert glacier cliff shore "
    "pier canal ferry sailboat canoe raft anchor rope net"
)
WHERE = _words("by behind under above near below inside facing without with")
MOMENTS = (
    *("at night", "at dawn", "at dusk", "at noon", "in spring", "in summer", "in autumn", "in winter"),
    *("after rain", "in fog", "from afar", "close up"),
)
FOLDERS = tuple(
    f"{year}/{name}"
    for year in range(2015, 2025)
    for name in ("holiday", "family", "work", "city", "garden", "archive")
)
WORDS = tuple(dict.fromkeys([*LOOKS, *THINGS, *WHERE, *" ".join(MOMENTS).split(), "a"]))
_TAGGED = 60  # the commonest things are tags, too

SCHEMA = pa.schema(
    {
        "url": pa.string(),
        "caption": pa.string(),
        "width": pa.int32(),
        "height": pa.int32(),
        "date": pa.timestamp("us", tz="UTC"),
        "licence": pa.string(),
        "folder": pa.string(),
        "tags": pa.list_(pa.string()),
        "preview": pa.binary(),
        "color": pa.string(),
    }
)


def preview_pool() -> tuple[list[bytes], list[str]]:
    """Real previews and mean colours: of each demo picture, and of parts of it, some mirrored."""
    made = [
        make_preview(part)
        for found in find_pictures(PICTURES)
        for part in parts(open_image(found.path).image, PARTS_OF_A_PICTURE)
    ]
    sizes = [len(preview.data) for preview in made]
    print(
        f"pool: {len({preview.data for preview in made})} different previews, "
        f"mean {statistics.mean(sizes):.0f} bytes, most {max(sizes)}"
    )
    return [preview.data for preview in made], [preview.color for preview in made]


def parts(picture: Image.Image, count: int) -> list[Image.Image]:
    """The picture, and `count` - 1 rectangles of it."""
    rng = np.random.default_rng(picture.width * 10_007 + picture.height)
    found = [picture]
    for number in range(1, count):
        width, height = (round(side * rng.uniform(_SMALLEST_PART, 0.95)) for side in picture.size)
        left, top = rng.integers(0, picture.width - width + 1), rng.integers(0, picture.height - height + 1)
        part = picture.crop((int(left), int(top), int(left) + width, int(top) + height))
        found.append(ImageOps.mirror(part) if number % 2 else part)
    return found


def records(start: int, end: int, previews: list[bytes], colors: list[str]) -> pa.Table:
    """The rows from `start` to before `end`."""
    rng = np.random.default_rng(start)
    count = end - start
    picks = rng.integers(0, len(previews), count)
    things = _uneven(rng, len(THINGS), (count, 2))
    seconds = rng.integers(0, SPAN_S, count)
    dates = np.datetime64(int(FIRST_DAY.timestamp()), "s") + seconds.astype("timedelta64[s]")
    columns = {
        "url": [f"https://pictures.example/{row * 2654435761 % 2**32:08x}.jpg" for row in range(start, end)],
        "caption": captions(rng, things),
        "width": rng.integers(320, 6000, count),
        "height": rng.integers(240, 4000, count),
        "date": pa.array(dates.astype("datetime64[us]"), SCHEMA.field("date").type),
        "licence": [LICENCES[number] for number in _uneven(rng, len(LICENCES), count)],
        "folder": [FOLDERS[number] for number in _folders(rng, seconds)],
        "tags": [_tags(pair) for pair in things.tolist()],
        "preview": [previews[number] for number in picks],
        "color": [colors[number] for number in picks],
    }
    return pa.table([pa.array(columns[field.name], field.type) for field in SCHEMA], schema=SCHEMA)


def captions(rng: np.random.Generator, things: np.ndarray) -> list[str]:
    """A sentence for each row of (n, 2) places in THINGS."""
    looks = rng.integers(0, len(LOOKS), len(things))
    wheres = rng.integers(0, len(WHERE), len(things))
    moments = rng.integers(0, 2 * len(MOMENTS), len(things))  # half of the captions tell no moment
    return [
        f"a {LOOKS[look]} {THINGS[first]} {WHERE[where]} a {THINGS[second]}"
        + (f" {MOMENTS[moment]}" if moment < len(MOMENTS) else "")
        for look, first, where, second, moment in zip(
            looks.tolist(),
            *things[:, :1].T.tolist(),
            wheres.tolist(),
            *things[:, 1:].T.tolist(),
            moments.tolist(),
            strict=True,
        )
    ]


def _uneven(rng: np.random.Generator, kinds: int, shape: int | tuple[int, int]) -> np.ndarray:
    """Places below `kinds`, the first of them the commonest, as words are."""
    weight = 1 / (np.arange(kinds) + 3.0)
    return rng.choice(kinds, shape, p=weight / weight.sum())


def _folders(rng: np.random.Generator, seconds: np.ndarray) -> np.ndarray:
    """A folder of the year of each date."""
    names = len(FOLDERS) // 10
    return seconds * 10 // SPAN_S * names + _uneven(rng, names, len(seconds))


def _tags(pair: list[int]) -> list[str]:
    return [THINGS[number] for number in dict.fromkeys(pair) if number < _TAGGED]


class NaturalCaptions:
    """Captions over 60,000 words whose frequencies fall as those of English do: Zipf's law with a shift.

    The commonest words stand in most captions, half of the vocabulary in fewer than ten of a million. Row `n`
    is the same in every run.
    """

    vocabulary = 60_000
    exponent = 1.07
    shift = 2.7
    mean_words = 10

    def __init__(self) -> None:
        weight = (np.arange(self.vocabulary) + self.shift) ** -self.exponent
        self._cumulated = np.cumsum(weight / weight.sum())
        letters = np.array(list("etaoinshrdlucmfwypvbgkjqxz"))
        rng = np.random.default_rng(0)
        words: dict[str, None] = {}
        while len(words) < self.vocabulary:
            length = 3 + min(8, int(len(words) / self.vocabulary * 6) + int(rng.integers(0, 3)))
            words["".join(letters[(rng.random(length) ** 1.6 * 26).astype(int)])] = None
        self.words = np.array([*words])

    def block(self, start: int, end: int) -> pa.RecordBatch:
        """Return the records of rows: id, caption, name, folder, tags, and the columns that all have."""
        rng = np.random.default_rng(start)
        rows = end - start
        lengths = np.clip(rng.lognormal(np.log(self.mean_words), 0.5, rows).astype(int), 1, 60)
        drawn = self.words[self._cumulated.searchsorted(rng.random(lengths.sum()))]
        parts = np.split(drawn, np.cumsum(lengths)[:-1])
        tags = self.words[self._cumulated.searchsorted(rng.random((rows, 2)))]
        count = np.arange(start, end)
        columns = {
            "id": pa.array(count, pa.int64()),
            "uri": pa.array([""] * rows),
            "width": pa.array(np.full(rows, 640, np.int32)),
            "height": pa.array(np.full(rows, 480, np.int32)),
            "color": pa.array(["#808080"] * rows),
            "preview": pa.array([b""] * rows, pa.binary()),
            "caption": pa.array([" ".join(part) for part in parts]),
            "name": pa.array([f"IMG_{row:07}.jpg" for row in range(start, end)]),
            "folder": pa.array([FOLDERS[row] for row in rng.integers(0, len(FOLDERS), rows)]),
            "tags": pa.array(tags.tolist(), pa.list_(pa.string())),
        }
        return pa.record_batch(list(columns.values()), names=list(columns))

    def queries(self, count: int, words: int = 2) -> list[str]:
        """Return queries of words that occur together: each from one caption, without the commonest ten."""
        texts = self.block(0, 20 * count)["caption"].to_pylist()
        common = {*self.words[:10]}
        found = []
        for text in texts:
            rarer = [word for word in dict.fromkeys(text.split()) if word not in common]
            if len(rarer) >= words:
                found.append(" ".join(rarer[:words]))
        return found[:count]
