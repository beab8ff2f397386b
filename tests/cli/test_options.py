"""Options that several commands share: a file of JSON is read as each system writes it."""

from __future__ import annotations

from pathlib import Path

import pytest

from warmxfer.cli.options import read_json_file
from warmxfer.schemas import InvalidRequest


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_a_file_of_any_unicode_encoding_is_read(encoding: str, tmp_path: Path) -> None:
    file = tmp_path / "request.json"
    file.write_bytes('{"name": "Zoë"}'.encode(encoding))
    assert read_json_file("FILE", str(file), "a request") == {"name": "Zoë"}


@pytest.mark.parametrize("data", [b"", b"\xff\xfe", b"\xff", b"{", '{"name": "Zoë"}'.encode("latin-1")])
def test_what_is_no_json_is_named(data: bytes, tmp_path: Path) -> None:
    file = tmp_path / "request.json"
    file.write_bytes(data)
    with pytest.raises(
        InvalidRequest, match=r"^FILE is '.*request\.json', which is not JSON \(.*; give a request"
    ):
        read_json_file("FILE", str(file), "a request")
