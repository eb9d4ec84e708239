"""snapseek.sources.list_text: encodings and delimiters of lists as programs write them."""

import pytest

from snapseek.sources.row_reader import read_rows

A = "https://h.example/1.jpg"
COMMAS = "https://h.example/img/x.jpg?crop=2669,1999,x0,y0&width=80"


def rows(tmp_path, name, data):
    path = tmp_path / name
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return [row.values or row.problem for row in read_rows(path)]


@pytest.mark.parametrize(
    ("name", "data", "expected"),
    [
        ("a.txt", f"{COMMAS}\n", {"url": COMMAS}),
        ("a.csv", f"url\n{COMMAS}\n", {"url": COMMAS}),
        ("a.csv", f'url\n"{COMMAS}"\n', {"url": COMMAS}),
        ("a.csv", f"url;caption\n{COMMAS};a, b, c\n", {"url": COMMAS, "caption": "a, b, c"}),
        ("a.csv", f"caption, with, commas;url\nrot;{A}\n", {"caption, with, commas": "rot", "url": A}),
        ("a.csv", f'caption;url\n"rot, und, gross";{A}\n', {"caption": "rot, und, gross", "url": A}),
        ("a.csv", f"sep=;\nurl;caption\n{A};x\n", {"url": A, "caption": "x"}),
        ("a.csv", f'"sep=|"\r\nurl|caption\r\n{A}|x\r\n', {"url": A, "caption": "x"}),
        ("a.csv", f"url|caption\n{A}|a cat, asleep\n", {"url": A, "caption": "a cat, asleep"}),
        ("a.csv", f"url\tcaption\n{A}\ta; b, c\n", {"url": A, "caption": "a; b, c"}),
        ("a.csv", f"url,note\n{A},a|b|c|d;e;f\n", {"url": A, "note": "a|b|c|d;e;f"}),
        ("a.csv", b"url,caption\n" + A.encode() + b",caf\xe9 am See\n", {"url": A, "caption": "café am See"}),
        ("a.csv", b"url,caption\n" + A.encode() + b",\x80 5\x97\n", {"url": A, "caption": "€ 5—"}),
        ("a.csv", f"url\tcaption\n{A}\tcafé\n".encode("utf-16"), {"url": A, "caption": "café"}),
        ("a.csv", f"url;caption\n{A};café\n".encode("utf-16-le"), {"url": A, "caption": "café"}),
        ("a.csv", f"url,caption\n{A},café\n".encode("utf-16-be"), {"url": A, "caption": "café"}),
        ("a.jsonl", f'{{"url": "{A}"}}\n'.encode("utf-16"), {"url": A}),
        ("a.jsonl", f'[{{"url": "{A}"}}, "{A}"]\n', {"url": A}),
        ("a.csv", "photos/1.jpg,a cat\n", {"url": "photos/1.jpg", "caption": "a cat"}),
    ],
)
def test_a_list_as_a_program_writes_it(tmp_path, name, data, expected):
    assert rows(tmp_path, name, data)[0] == expected


def test_a_row_with_too_many_cells_says_how_to_quote(tmp_path):
    (problem,) = rows(tmp_path, "a.csv", f"url,caption\n{A},a cat, asleep\n")
    assert problem == "row 2 has 3 cells, and the header has 2; put a value with the delimiter in quotes"
