"""Every case of the BSON corpus, both ways; `bson_corpus/README.md` tells where it is from."""

import json
from pathlib import Path
from typing import Any

import pytest
from bson.errors import InvalidBSON

from documents.codec.encode import encode
from documents.codec.extended import decode_extended, dump_extended, parse_extended
from documents.codec.plain import dump
from documents.codec.stored import StoredDocument
from documents.codec.strict import parse_json
from documents.errors import InputError, InvalidDocumentError

CORPUS = Path(__file__).parent / "bson_corpus"
DECIMAL = "0x13"

# BSON allows these keys, a document here does not.
REFUSED_KEYS = {
    "$type query operator (conflicts with legacy $binary form with $type field)",
    "Document with key names similar to those of a DBRef",
    "DBRef with additional dollar-prefixed and dotted fields",
    "Sub-document resembles DBRef but $id is missing",
    "Sub-document resembles DBRef but $ref is not a string",
    "Sub-document resembles DBRef but $db is not a string",
    "Empty-string key subdoc",
    "Dollar-prefixed key in sub-document",
    "Dollar as key in sub-document",
    "Dotted key in sub-document",
    "Dot as key in sub-document",
    "Regular expression as value of $regex query operator",
    "Regular expression as value of $regex query operator with $options",
    "Dollar-prefixed key in top-level document",
    "Dollar as key in top-level document",
    "Dotted key in top-level document",
    "Dot as key in top-level document",
}

# What is stored must stay readable, so bytes that are not UTF-8 are shown as U+FFFD.
REPLACED = {"invalid UTF-8", "String with bad UTF-8"}


def cases(section: str) -> list[Any]:
    corpora = {path.stem: json.loads(path.read_text("utf-8")) for path in sorted(CORPUS.glob("*.json"))}
    return [
        pytest.param({"bson_type": corpus["bson_type"], **case}, id=f"{name}-{case['description']}")
        for name, corpus in corpora.items()
        for case in corpus.get(section, [])
    ]


def tree(text: str | bytes) -> object:
    """Doubles that are equal may be written in several ways."""
    return json.loads(text, object_hook=lambda members: {key: number(key, value) for key, value in members.items()})


def number(key: str, value: object) -> object:
    return repr(float(str(value))) if key == "$numberDouble" else value


def texts(case: dict[str, str], *names: str) -> list[bytes]:
    return [case[name].encode() for name in names if name in case]


@pytest.mark.parametrize("case", cases("valid"))
def test_bson_to_extended_json(case: dict[str, str]) -> None:
    for name in ("canonical_bson", "degenerate_bson"):
        if name in case:
            assert tree(dump_extended(bytes.fromhex(case[name]), canonical=True)) == tree(case["canonical_extjson"])
    if "relaxed_extjson" in case:
        relaxed = dump_extended(bytes.fromhex(case["canonical_bson"]), canonical=False)
        assert tree(relaxed) == tree(case["relaxed_extjson"])


@pytest.mark.parametrize("case", cases("valid"))
def test_extended_json_to_bson(case: dict[str, str]) -> None:
    for text in texts(case, "canonical_extjson", "degenerate_extjson"):
        raw = encode(decode_extended(parse_json(text), lenient_keys=True))
        assert tree(dump_extended(raw, canonical=True)) == tree(case["canonical_extjson"])
        if not case.get("lossy"):
            assert raw.hex() == case["canonical_bson"].lower()
    for text in texts(case, "relaxed_extjson"):
        raw = encode(decode_extended(parse_json(text), lenient_keys=True))
        assert tree(dump_extended(raw, canonical=False)) == tree(text)


@pytest.mark.parametrize("case", cases("valid"))
def test_documents_are_read_unless_a_key_is_refused(case: dict[str, str]) -> None:
    text = case["canonical_extjson"].encode()
    if case["description"] not in REFUSED_KEYS:
        assert parse_extended(text) is not None
        return
    with pytest.raises(InvalidDocumentError) as caught:
        parse_extended(text)
    assert {fault.code for fault in caught.value.faults} == {"key-refused"}


@pytest.mark.parametrize("case", cases("valid"))
def test_everything_stored_has_a_plain_form(case: dict[str, str]) -> None:
    assert parse_json(dump(StoredDocument(bytes.fromhex(case["canonical_bson"])).decode())) is not None


@pytest.mark.parametrize("case", cases("decodeErrors"))
def test_damaged_bson(case: dict[str, str]) -> None:
    raw = bytes.fromhex(case["bson"])
    if case["description"] in REPLACED:
        assert "\ufffd" in dump_extended(raw, canonical=True).decode()
        return
    with pytest.raises(InvalidBSON):
        dump_extended(raw, canonical=True)


@pytest.mark.parametrize("case", cases("parseErrors"))
def test_malformed_extended_json(case: dict[str, str]) -> None:
    text = json.dumps({"$numberDecimal": case["string"]}) if case["bson_type"] == DECIMAL else case["string"]
    with pytest.raises(InputError) as caught:
        parse_extended(text.encode())
    assert caught.value.faults
