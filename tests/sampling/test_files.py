from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from ledger.errors import InputError
from sampling.files import open_source
from sampling.rows import Row


def write(path: Path, content: bytes) -> str:
    path.write_bytes(content)
    return str(path)


def rows(name: str) -> list[Row]:
    source = open_source(name)
    first = list(source.rows())
    assert list(source.rows()) == first, "a source can be read again"
    return first


def good(found: Iterable[Row]) -> dict[int, Any]:
    return {row.line: dict(row.values) for row in found if not row.fault}


def faults(found: Iterable[Row]) -> dict[int, tuple[str, str]]:
    return {row.line: (row.fault, row.text()) for row in found if row.fault}


def test_json_lines(tmp_path: Path) -> None:
    content = (
        b'\xef\xbb\xbf{"q": 1}\n\n{"q": 2\r\n{"q": "\xff\\"}\n[1]\n{"q": NaN}\r\n{"q": "\\ud800"}\n' + b"[" * 9_999
    )
    found = rows(write(tmp_path / "f.jsonl", content))
    assert open_source(str(tmp_path / "f.jsonl")).total == 8
    assert good(found)[1] == {"q": 1}
    assert set(good(found)) == {1, 6, 7}
    assert good(found)[7] == {"q": "\ud800"}
    bad = faults(found)
    assert bad[3][0].startswith("invalid JSON")
    assert bad[3][1] == '{"q": 2'
    assert bad[4] == ("undecodable: not UTF-8", '{"q": "\\xff\\\\"}')
    assert bad[5] == ("no JSON object", "[1]")
    assert bad[8][0].startswith("invalid JSON")


def test_columns_of_json_lines_are_those_of_all_first_rows(tmp_path: Path) -> None:
    assert open_source(write(tmp_path / "f.jsonl", b'oops\n{"a": 1}\n{"b": 2, "a": 3}\n')).columns == ("a", "b")


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_csv(tmp_path: Path, delimiter: str) -> None:
    content = '\ufeffid,question\r\n1,plain\r\n\r\n2,"two\r\nlines, ""quoted"""\r\n3,5" tube'.replace(",", delimiter)
    source = open_source(write(tmp_path / "f.csv", content.encode()))
    assert source.columns == ("id", "question")
    assert good(source.rows()) == {
        2: {"id": "1", "question": "plain"},
        4: {"id": "2", "question": f'two\r\nlines{delimiter} "quoted"'},
        6: {"id": "3", "question": '5" tube'},
    }


def test_a_bad_csv_row_costs_one_row(tmp_path: Path) -> None:
    content = b'id,q\n1,"never closed\n2,fine\n3,"also ""fine"""\n4,a,b\n5\n6,\xff\n7,"never closed at the end\n8,fine'
    found = rows(write(tmp_path / "f.csv", content))
    assert {row["id"] for row in good(found).values()} == {"2", "3", "8"}
    bad = faults(found)
    assert set(bad) == {2, 5, 6, 7, 8}
    assert bad[2] == ("invalid CSV: ',' expected after '\"'", '1,"never closed')
    assert bad[5][0] == "3 columns, where the first line names 2"
    assert bad[6][0] == "1 columns, where the first line names 2"
    assert bad[7] == ("undecodable: not UTF-8", "6,\\xff")
    assert bad[8] == ("invalid CSV: unexpected end of data", '7,"never closed at the end')


def test_a_long_csv_field(tmp_path: Path) -> None:
    found = rows(write(tmp_path / "f.csv", b"id,q\n1," + b"x" * 200_000 + b"\n2,y\n"))
    assert [len(row["q"]) for row in good(found).values()] == [200_000, 1]


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        (b"a,a\n1,2\n", "'a' twice"),
        (b"\n1,2\n", "no columns"),
        (b"\xff,b\n1,2\n", "cannot be read"),
        (b'"a\n1\n', "read"),
    ],
)
def test_a_bad_csv_header(tmp_path: Path, header: bytes, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        open_source(write(tmp_path / "f.csv", header))


def table() -> dict[str, list[Any]]:
    return {"q": [f"question {n}" for n in range(2_500)], "options": [["x", "y"]] * 2_500}


def test_parquet(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table(table()), tmp_path / "f.parquet")
    source = open_source(str(tmp_path / "f.parquet"))
    assert (source.columns, source.total) == (("q", "options"), 2_500)
    found = good(source.rows())
    assert found[2_500] == {"q": "question 2499", "options": ["x", "y"]}
    assert list(found) == list(range(1, 2_501))


def test_undecodable_text_in_parquet(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    text = pa.StringArray.from_buffers(3, pa.py_buffer(b"\0\0\0\0\1\0\0\0\2\0\0\0\3\0\0\0"), pa.py_buffer(b"a\xffc"))
    pq.write_table(pa.table({"q": text, "n": [1, 2, 3]}), tmp_path / "f.parquet")
    found = rows(str(tmp_path / "f.parquet"))
    assert good(found) == {1: {"q": "a", "n": 1}, 3: {"q": "c", "n": 3}}
    assert faults(found) == {2: ("undecodable: not UTF-8 in q", '{"q":"\\\\xff","n":2}')}


def test_a_datasets_folder(tmp_path: Path) -> None:
    from datasets import Dataset, DatasetDict

    whole = Dataset.from_dict(table())
    whole.select(range(3, 1_500)).save_to_disk(tmp_path / "one")
    DatasetDict(a=whole.select([5]), b=whole.select([7, 8])).save_to_disk(tmp_path / "several")
    one = good(rows(str(tmp_path / "one")))
    assert one[1]["q"] == "question 3"
    assert (len(one), max(one)) == (1_497, 1_497)
    assert {line: row["q"] for line, row in good(rows(str(tmp_path / "several"))).items()} == {
        1: "question 5",
        2: "question 7",
        3: "question 8",
    }


def test_what_cannot_be_opened(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    cases = {
        write(tmp_path / "empty.jsonl", b""): "holds no rows",
        write(tmp_path / "f.xlsx", b"x"): "unknown format .xlsx",
        write(tmp_path / "array.json", b' [{"q": 1}]'): "one JSON array",
        write(tmp_path / "f.parquet", b"no parquet at all"): "cannot be read",
        str(tmp_path / "folder"): "no datasets folder",
        str(tmp_path / "nowhere.jsonl"): "no such file",
        "nowhere.csv": "no such file",
    }
    for name, reason in cases.items():
        with pytest.raises(InputError, match=reason) as caught:
            open_source(name)
        assert "\n" not in str(caught.value)


def test_a_folder_with_a_files_name(tmp_path: Path) -> None:
    (tmp_path / "state.json").write_text("{}")
    with pytest.raises(InputError, match="cannot be read"):
        open_source(str(tmp_path))


def test_a_hub_id_without_a_network_is_one_line() -> None:
    program = (
        "from ledger.errors import InputError\nfrom sampling.files import open_source\n"
        "try:\n    open_source('someone/questions:main')\nexcept InputError as error:\n    print(error)"
    )
    environment = {**os.environ, "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env=environment, check=True, timeout=120
    )
    assert done.stdout.startswith("someone/questions:main: neither a file here nor loaded from the hub: ")
    assert done.stdout.count("\n") == 1
    assert json.dumps(done.stdout)
