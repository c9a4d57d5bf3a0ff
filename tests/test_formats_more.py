"""The formats of nearest-neighbour benchmarks, word vectors and JSON lines: read back, lazily, or refused clearly."""

from __future__ import annotations

import gzip
import json
import pickle
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file

import relcli
from relcli.cli.app import run
from relcli.errors import FormatError, IdError, UsageError, VectorError
from relcli.formats import lines as lines_module
from relcli.formats import rows as rows_module
from relcli.formats.format import formats, identify, open_space
from tests.oracles_formats import read_words, write_fbin, write_jsonl, write_vecs, write_word2vec, write_words

N, D = 7, 3
VECTORS = np.random.default_rng(0).standard_normal((N, D)).astype(np.float32)
WORDS = ["the", ",", "New York", "42", "0.5", "ñandú", "at name@example.org"]
PLAIN = [word.replace(" ", "_") for word in WORDS]

WRITTEN = {
    ".fvecs": lambda path, words, vectors: write_vecs(path, vectors),
    ".fbin": lambda path, words, vectors: write_fbin(path, vectors),
    ".vec": lambda path, words, vectors: write_words(path, words, vectors),
    ".txt": lambda path, words, vectors: write_words(path, words, vectors, header=False),
    ".bin": lambda path, words, vectors: write_word2vec(path, words, vectors),
    ".jsonl": lambda path, words, vectors: write_jsonl(path, words, vectors),
}
WITHOUT_IDS = (".fvecs", ".fbin")
TEXTS = (".vec", ".txt", ".jsonl")


def written(folder: Path, suffix: str, *, words=PLAIN, vectors=VECTORS, name: str = "e") -> Path:
    path = WRITTEN[suffix](folder / f"{name}{suffix}", list(words), vectors)
    if suffix in WITHOUT_IDS:
        (folder / f"{name}.ids.txt").write_text("".join(f"{word}\n" for word in words), encoding="utf-8")
    return path


def as_bytes(path: Path, content: bytes | str) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def refused(error, *parts, source, **options):
    with pytest.raises(error) as caught:
        open_space(source, **options).read(slice(None))
    for part in parts:
        assert part in str(caught.value)


@pytest.fixture
def lazy(monkeypatch):
    """Decode every row whenever it is read, and read text a few bytes at a time."""
    monkeypatch.setattr(rows_module, "SMALL", 0)
    monkeypatch.setattr(lines_module, "_BLOCK", 50)


# --- read back ---


@pytest.mark.parametrize("suffix", WRITTEN)
def test_what_was_written_is_read(tmp_path, suffix):
    space = open_space(written(tmp_path, suffix))

    assert space.ids.tolist() == PLAIN
    assert space.origin.dtype == "float32"
    assert space.origin.ids_given
    assert space.vectors[:].dtype == np.float32
    np.testing.assert_array_equal(space.vectors[:], VECTORS)


@pytest.mark.parametrize("suffix", WRITTEN)
def test_reading_bit_by_bit_changes_nothing(tmp_path, suffix, lazy):
    space = open_space(written(tmp_path, suffix))

    assert space.ids.tolist() == PLAIN
    np.testing.assert_array_equal(space.vectors[:], VECTORS)


@pytest.mark.parametrize(("suffix", "dtype"), [(".bvecs", "uint8"), (".u8bin", "uint8"), (".i8bin", "int8")])
def test_integers_stay_integers_until_they_are_measured(tmp_path, suffix, dtype):
    low, high = np.iinfo(dtype).min, np.iinfo(dtype).max
    vectors = np.random.default_rng(0).integers(low, high, (N, D), endpoint=True).astype(dtype)
    vectors[0] = low, high, 1
    writer = write_vecs if suffix.endswith("vecs") else write_fbin
    space = open_space(writer(tmp_path / f"e{suffix}", vectors))

    assert space.vectors[:].dtype == np.dtype(dtype)
    assert space.origin.notes == (f"{dtype} vectors are read as floats, not rescaled",)
    assert not space.origin.ids_given
    np.testing.assert_array_equal(space.read([6, 0, 6]), vectors[[6, 0, 6]].astype(np.float64))


@settings(max_examples=60)
@given(data=st.data())
@pytest.mark.parametrize("suffix", WRITTEN)
def test_batches_in_any_order_are_the_whole(tmp_path_factory, suffix, data):
    n, d = data.draw(st.integers(1, 12)), data.draw(st.integers(1, 4))
    vectors = np.random.default_rng(n * d).standard_normal((n, d)).astype(np.float32)
    folder = tmp_path_factory.mktemp("e")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rows_module, "SMALL", 0)
        patch.setattr(lines_module, "_BLOCK", data.draw(st.integers(1, 90)))
        rows = open_space(written(folder, suffix, words=[f"w{i}" for i in range(n)], vectors=vectors)).vectors
        asked = data.draw(
            st.lists(
                st.one_of(
                    st.lists(st.integers(-n, n - 1), max_size=9).map(lambda rows: np.array(rows, np.int64)),
                    st.builds(
                        slice, *[st.one_of(st.none(), st.integers(-n - 1, n + 1))] * 2, st.sampled_from([None, 2])
                    ),
                ),
                max_size=5,
            )
        )

        for wanted in asked:
            np.testing.assert_array_equal(rows[wanted], vectors[wanted])
        np.testing.assert_array_equal(pickle.loads(pickle.dumps(rows))[:], vectors)


# letters, digits, punctuation, other alphabets, blanks that are no separators, and what numbers are written as
TOKENS = st.one_of(
    st.text(
        st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\N{ZERO WIDTH NO-BREAK SPACE}"), min_size=1
    ),
    st.sampled_from(["nan", "inf", "1", "-0.5", "1e5", "a b", ". . .", "Windows 3.1", "20 000", "\N{NO-BREAK SPACE}"]),
).filter(lambda token: token == token.strip(" "))


@settings(max_examples=150)
@given(words=st.lists(TOKENS, min_size=1, max_size=8), seed=st.integers(0, 99), header=st.booleans())
def test_words_of_any_kind_are_read_as_a_plain_reader_does(tmp_path_factory, words, seed, header):
    # most of the first lines tell the width where no header does
    words = words if header else ["one", "two", *words, *(f"w{i}" for i in range(len(words)))]
    vectors = np.random.default_rng(seed).standard_normal((len(words), 4)).astype(np.float32)
    path = write_words(tmp_path_factory.mktemp("e") / "e.vec", words, vectors, header=header)
    space = open_space(path)
    plain_words, plain_vectors = read_words(path, 4, header=header)

    assert space.ids.tolist() == plain_words == words
    np.testing.assert_array_equal(space.vectors[:], plain_vectors)
    np.testing.assert_array_equal(space.vectors[:], vectors)


@settings(max_examples=60)
@given(
    values=st.lists(st.floats(allow_nan=False, allow_infinity=False, width=64), min_size=1, max_size=6),
    suffix=st.sampled_from([".txt", ".jsonl"]),
)
def test_a_number_is_the_float64_it_writes_rounded_to_float32(tmp_path_factory, values, suffix):
    path = tmp_path_factory.mktemp("e") / f"e{suffix}"
    numbers = [repr(value) for value in values]
    as_bytes(path, "a " + " ".join(numbers) + "\n" if suffix == ".txt" else f'{{"v": [{", ".join(numbers)}, 0.5]}}\n')
    with np.errstate(over="ignore"):
        expected = np.array(values, np.float64).astype(np.float32)

    np.testing.assert_array_equal(open_space(path).vectors[:][0, : len(values)], expected)


@pytest.mark.parametrize("header", [True, False])
@pytest.mark.parametrize(("end", "gap"), [("\r\n", " "), (" \n", " "), ("\n", "\t"), ("\n", "  ")])
def test_line_ends_and_gaps_of_other_programs_are_read(tmp_path, header, end, gap, lazy):
    space = open_space(write_words(tmp_path / "e.vec", WORDS, VECTORS, header=header, end=end, gap=gap))

    assert space.ids.tolist() == WORDS
    np.testing.assert_array_equal(space.vectors[:], VECTORS)


@pytest.mark.parametrize("suffix", TEXTS)
def test_a_byte_order_mark_and_a_missing_last_line_end_are_no_matter(tmp_path, suffix, lazy):
    path = written(tmp_path, suffix)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().removesuffix(b"\n"))
    space = open_space(path)

    assert space.ids.tolist() == PLAIN
    np.testing.assert_array_equal(space.vectors[[6, 0]], VECTORS[[6, 0]])


@pytest.mark.parametrize("end", [b"\n", b""])
def test_word2vec_is_read_with_and_without_line_ends(tmp_path, end):
    space = open_space(write_word2vec(tmp_path / "e.bin", PLAIN, VECTORS, end=end))

    assert space.ids.tolist() == PLAIN
    np.testing.assert_array_equal(space.vectors[1:5], VECTORS[1:5])


def test_a_word_may_stand_twice_and_the_policy_decides(tmp_path):
    words = [*PLAIN[:-1], PLAIN[0]]
    x = written(tmp_path, ".vec", words=words)
    y = written(tmp_path, ".jsonl", name="y")

    assert open_space(x).ids.tolist() == words
    with pytest.raises(IdError, match="the"):
        relcli.compare(x, y, anchors="uniform:2", measures=["cosine"])
    assert relcli.compare(x, y, anchors="uniform:2", measures=["cosine"], on_duplicate="first").join["pairs"] == N - 1


@pytest.mark.parametrize("suffix", TEXTS)
def test_nan_is_read_and_named_when_it_is_measured(tmp_path, suffix):
    vectors = VECTORS.copy()
    vectors[2, 1], vectors[4, 0] = np.nan, np.inf
    x = written(tmp_path, suffix, vectors=vectors)
    y = written(tmp_path, ".fbin", name="y")

    np.testing.assert_array_equal(open_space(x).vectors[:], vectors)
    with pytest.raises(VectorError, match="New_York"):
        relcli.compare(x, y, anchors="first:2", measures=["cosine"])


def test_json_null_among_numbers_is_nan(tmp_path):
    path = as_bytes(tmp_path / "e.jsonl", '{"v": [1.5, null]}\n{"v": [0.5, 1]}\n')

    np.testing.assert_array_equal(open_space(path).vectors[:], np.array([[1.5, np.nan], [0.5, 1]], np.float32))


def test_json_that_arrow_does_not_read_is_read_all_the_same(tmp_path):
    lines = [
        '{"id": 1, "id": 2, "v": [1e400, -1e400]}',
        '{"v": [0.5, 1], "id": 12345678901234567890123}',
        '{"id": "é", "v": [' + "9" * 400 + ", 2]}",
    ]
    space = open_space(as_bytes(tmp_path / "e.jsonl", "\n".join(lines)))

    assert space.ids.tolist() == ["2", "12345678901234567890123", "é"]
    assert space.vectors[:].tolist() == [[np.inf, -np.inf], [0.5, 1], [np.inf, 2]]


def test_the_vector_and_id_of_json_lines_are_chosen_as_in_tables(tmp_path):
    two = [{"a": [1, 2.5], "emb": [0.5, 1], "n": 3, "doc_id": 7, "key": "k"}, {"a": [1, 2], "emb": [1, 1], "doc_id": 8}]
    path = as_bytes(tmp_path / "e.jsonl", "".join(json.dumps(line) + "\n" for line in two))
    whole_first = as_bytes(tmp_path / "w.jsonl", '{"v": [0, 1], "tokens": [1, 2]}\n{"v": [0.5, 1], "tokens": [4, 2]}\n')

    assert open_space(path).ids.tolist() == ["7", "8"]
    assert open_space(path).origin.member == "emb"
    assert open_space(f"{path}#a").read(slice(None)).tolist() == [[1, 2.5], [1, 2]]
    assert open_space(whole_first).origin.member == "v"
    assert open_space(as_bytes(tmp_path / "i.jsonl", '{"v": [0, 1]}\n')).read(slice(None)).tolist() == [[0, 1]]
    refused(IdError, "line 2", "no 'key'", source=path, id_column="key")
    refused(UsageError, "'amb'", "Did you mean 'emb'", source=f"{path}#amb")
    refused(UsageError, "'n'", "no list of numbers", source=f"{path}#n")
    refused(UsageError, "'doc'", "'doc_id'", source=path, id_column="doc")


# --- told apart ---


def test_the_content_tells_more_than_the_suffix(tmp_path):
    text, binary, lines = (written(tmp_path, suffix) for suffix in (".vec", ".bin", ".jsonl"))

    assert identify(text.rename(tmp_path / "a.bin")).name == "word vectors"
    assert identify(binary.rename(tmp_path / "b.dat")).name == "word2vec"
    assert identify(lines.rename(tmp_path / "c.json")).name == "jsonl"


@pytest.mark.parametrize("d", [640, 896, 1152, 1408])
def test_a_width_that_begins_like_a_pickle_is_a_width(tmp_path, d):
    vectors = np.ones((2, d), np.float32)

    assert open_space(write_vecs(tmp_path / "e.fvecs", vectors)).dim == d
    assert len(open_space(write_fbin(tmp_path / "e.fbin", np.ones((d, 2), np.float32)))) == d


def test_a_safetensors_header_that_begins_like_a_pickle_is_a_header(tmp_path):
    save_file({"v": VECTORS}, tmp_path / "e.safetensors")
    data = (tmp_path / "e.safetensors").read_bytes()
    length = int.from_bytes(data[:8], "little")
    padded = (640).to_bytes(8, "little") + data[8 : 8 + length].ljust(640) + data[8 + length :]
    space = open_space(as_bytes(tmp_path / "p.safetensors", padded))

    np.testing.assert_array_equal(space.vectors[:], VECTORS)


def test_bytes_that_look_like_safetensors_are_still_bvecs(tmp_path):
    vectors = np.array([[0, 0, 0, 0, ord("{"), ord('"')]] * 2, np.uint8)

    np.testing.assert_array_equal(open_space(write_vecs(tmp_path / "e.bvecs", vectors)).vectors[:], vectors)


# --- shards and sidecars ---


@pytest.mark.parametrize("suffix", WRITTEN)
def test_shards_are_stacked_in_their_natural_order(tmp_path, suffix):
    for name, rows in (("e_10", slice(4, None)), ("e_2", slice(0, 4))):
        written(tmp_path, suffix, words=PLAIN[rows], vectors=VECTORS[rows], name=name)
    for source in (tmp_path, tmp_path / f"e_*{suffix}"):
        space = open_space(source)

        assert space.ids.tolist() == PLAIN
        np.testing.assert_array_equal(space.vectors[[6, 0, 3]], VECTORS[[6, 0, 3]])


def test_notes_beside_shards_are_no_shards(tmp_path):
    written(tmp_path, ".fvecs")
    for name in ("README.txt", "items.jsonl", "model.bin"):
        as_bytes(tmp_path / name, "made on Monday\n")

    assert open_space(tmp_path).ids.tolist() == PLAIN


def test_ids_beside_json_lines_without_ids_are_taken(tmp_path):
    path = write_jsonl(tmp_path / "e.jsonl", None, VECTORS)
    assert not open_space(path).origin.ids_given

    as_bytes(tmp_path / "e.ids.txt", "".join(f"{word}\n" for word in WORDS))
    assert open_space(path).ids.tolist() == WORDS


# --- commands ---


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    rng = np.random.default_rng(3)
    x = rng.standard_normal((60, 8)).astype(np.float32)
    y = (x @ np.linalg.qr(rng.standard_normal((8, 8)))[0] + 0.3 * rng.standard_normal((60, 8))).astype(np.float32)
    return tmp_path_factory.mktemp("pair"), [f"w{i}" for i in rng.permutation(60)], x, y


@pytest.mark.parametrize("suffix", WRITTEN)
def test_compare_says_of_it_what_it_says_of_npy(pair, suffix, capfd):
    folder, words, x, y = pair
    np.save(folder / "x.npy", x)
    np.save(folder / "y.npy", y)
    for side in "xy":
        as_bytes(folder / f"{side}.ids.txt", "".join(f"{word}\n" for word in words))
    other = written(folder, suffix, words=words, vectors=x, name="other")
    documents = []
    for source in (folder / "x.npy", other):
        arguments = ["compare", str(source), str(folder / "y.npy"), "-a", "uniform:12", "--json"]

        assert run(arguments) == 0
        documents.append(json.loads(capfd.readouterr().out))
    as_npy, as_other = documents

    assert as_other["scores"] == as_npy["scores"]
    assert as_other["anchors"] == as_npy["anchors"]
    assert (as_other["x"]["rows"], as_other["x"]["dim"], as_other["x"]["dtype"]) == (60, 8, "float32")


@pytest.mark.parametrize(("suffix", "dtype"), [(".bvecs", np.uint8), (".u8bin", np.uint8), (".i8bin", np.int8)])
def test_compare_says_of_integers_what_it_says_of_npy(pair, suffix, dtype):
    folder, _, x, y = pair
    whole = (x * 20 + (100 if dtype is np.uint8 else 0)).astype(dtype)
    np.save(folder / "whole.npy", whole)
    writer = write_vecs if suffix.endswith("vecs") else write_fbin
    other = writer(folder / f"whole{suffix}", whole)
    np.save(folder / "y_whole.npy", y)
    scores = [
        [score.value for score in relcli.compare(source, folder / "y_whole.npy", anchors="first:9").scores]
        for source in (folder / "whole.npy", other)
    ]

    assert scores[1] == scores[0]


@pytest.mark.parametrize("suffix", WRITTEN)
def test_inspect_and_project_read_it(tmp_path, suffix, capfd):
    path = written(tmp_path, suffix)
    as_bytes(tmp_path / "anchors.txt", f"{PLAIN[0]}\n{PLAIN[3]}\n")

    assert run(["inspect", str(path), "--json"]) == 0
    assert f'"rows": {N}' in capfd.readouterr().out
    assert run(["project", str(path), "-a", str(tmp_path / "anchors.txt"), "-o", str(tmp_path / "r.parquet")]) == 0
    assert open_space(tmp_path / "r.parquet").ids.tolist() == PLAIN


def test_a_broken_file_is_exit_2(tmp_path, capfd):
    path = as_bytes(tmp_path / "e.vec", "2 3\na 1 2 3\nb 1 2\n")

    assert run(["inspect", str(path)]) == 2
    assert "line 3 has 2 numbers" in " ".join(capfd.readouterr().err.split())


# --- refused: vecs and bins ---


@pytest.mark.parametrize("suffix", [".fvecs", ".fbin"])
@pytest.mark.parametrize("lost", [1, 4, 11])
def test_a_truncated_matrix_is_refused_by_its_bytes(tmp_path, suffix, lost):
    path = written(tmp_path, suffix)
    path.write_bytes(path.read_bytes()[:-lost])

    refused(FormatError, str(path), "truncated", "bytes", source=path)


def test_a_header_that_disagrees_with_the_size_is_refused(tmp_path):
    path = write_fbin(tmp_path / "e.fbin", VECTORS)
    path.write_bytes(path.read_bytes() + b"\0" * 12)
    refused(FormatError, "more than its header says", "7 x 3 float32 are 84 bytes", "there are 96", source=path)

    refused(FormatError, "0 rows", source=as_bytes(tmp_path / "z.fbin", struct.pack("<II", 0, 3)))
    refused(FormatError, "5 bytes", source=as_bytes(tmp_path / "s.u8bin", b"\1\0\0\0\1"))
    refused(FormatError, "truncated", source=as_bytes(tmp_path / "b.i8bin", b"\xff" * 64))


@pytest.mark.parametrize("row", [1, 6])
def test_rows_of_other_widths_are_refused_by_row(tmp_path, row):
    path = write_vecs(tmp_path / "e.fvecs", VECTORS)
    data = bytearray(path.read_bytes())
    data[16 * row : 16 * row + 4] = struct.pack("<i", 5)
    path.write_bytes(data)
    refused(FormatError, f"row {row} says it is 5 wide where the first says 3", source=path)

    wider = write_vecs(tmp_path / "a.fvecs", VECTORS[:row]).read_bytes() + struct.pack("<i5f", 5, *range(5))
    refused(FormatError, source=as_bytes(tmp_path / "w.fvecs", wider))


def test_a_width_that_is_not_looked_at_on_opening_is_looked_at_on_reading(tmp_path):
    path = write_vecs(tmp_path / "e.fvecs", np.ones((5000, 1), np.float32))
    data = bytearray(path.read_bytes())
    data[8 * 1234 : 8 * 1234 + 4] = struct.pack("<i", 9)
    path.write_bytes(data)
    space = open_space(path)

    assert space.read(slice(0, 1234)).shape == (1234, 1)
    with pytest.raises(FormatError, match="row 1,234 says it is 9"):
        space.read([7, 1234])


@pytest.mark.parametrize("head", [b"\0\0\0\0abcd", b"\xff\xff\xff\xffabcd", b"\x93NUMPY", b"ab"])
def test_what_begins_with_no_width_is_no_vecs(tmp_path, head):
    refused(FormatError, "is no .fvecs", source=as_bytes(tmp_path / "e.fvecs", head))


@pytest.mark.parametrize("suffix", [".ivecs", ".ibin"])
def test_lists_of_neighbours_are_no_vectors(tmp_path, suffix):
    # d, a zero and a brace: the bytes would pass for safetensors
    refused(FormatError, "nearest", source=as_bytes(tmp_path / f"e{suffix}", struct.pack("<iii", 2, 0, ord("{"))))


# --- refused: words ---


def test_a_list_of_ids_is_no_dump(tmp_path):
    refused(FormatError, "line 1", "'doc-1'", "list of ids", source=as_bytes(tmp_path / "e.txt", "doc-1\ndoc-2\n"))
    refused(FormatError, "line 1", "list of ids", source=as_bytes(tmp_path / "n.txt", "17\n18\n"))
    refused(FormatError, "line 1", "list of ids", source=as_bytes(tmp_path / "p.txt", "a\tb\nc\td\n"))
    refused(FormatError, "line 2", "20 are wanted", source=as_bytes(tmp_path / "i.txt", "10 20\n30 40\n"))


@pytest.mark.parametrize("header", [True, False])
@pytest.mark.parametrize("block", [4 << 20, 20])
def test_a_line_of_another_width_is_refused(tmp_path, header, block, monkeypatch):
    monkeypatch.setattr(lines_module, "_BLOCK", block)
    words = [f"w{i}" for i in range(5)]
    path = write_words(tmp_path / "e.vec", words, np.full((5, 3), 0.123456), header=header)
    lines = path.read_text().splitlines()
    at = 4 if header else 3
    for change, parts in (
        (lambda line: line.rsplit(" ", 1)[0], ("has 2 numbers", "3 are wanted")),
        (lambda line: line + " 0.654321", ("has 4 numbers", "3 are wanted")),
        (lambda line: line + " x", ("is no number", "'x'")),
        (lambda line: line.replace(" ", " 1,5 ", 1), ()),
    ):
        broken = [*lines[:at], change(lines[at]), *lines[at + 1 :]]
        as_bytes(path, "\n".join(broken) + "\n")
        if parts:
            refused(FormatError, f"line {at + 1}", *parts, source=path)
        else:
            assert open_space(path).ids.tolist()[3] == "w3 1,5"


@pytest.mark.parametrize(
    ("content", "parts"),
    [
        ("3 2\na 1 2\nb 3 4\n", ("3 rows of 2", "2 lines follow", "'2 2'")),
        ("1 2\na 1 2\nb 3 4\n", ("1 rows of 2", "2 lines follow")),
        ("0 2\n", ("0 rows of 2",)),
        ("2 0\na\nb\n", ("0 dimensions",)),
        ("2 2\n", ("2 rows", "0 lines")),
        ("a 1 2\n\nb 3 4\n", ("line 2 is empty",)),
        ("a 1 2\n \t\r\nb 3 4\n", ("line 2 is empty",)),
        ("a 1 2\nb 3 4\n\n", ("line 3 is empty",)),
        ("a 1 2\nb 3 4\n" + " " * 1_000_000, ("line 3 is empty",)),
        ("\n", ("line 1 is empty",)),
        ("a 1 2\n 3 4\nb 5 6\n", ("line 2", "no word")),
        (b"a 1 2\n\xe9t\xe9 3 4\n", ("line 2", "no UTF-8", "0xe9", "iconv")),
        (b"a 1 2\nb\0c 3 4\n", ("line 2", "zero byte")),
        ("a 1 2\nb 3 1_0\n", ("line 2", "'1_0' is no number")),
        ("a 1 2\nb 3 0x10\n", ("line 2", "'0x10' is no number")),
        ("a 1 2\nb 3 4;5\n", ("line 2", "'4;5' is no number")),
        ('a 1 2\nb 3 "4"\n', ("line 2", "is no number")),
        ("a 1 2\nb 3 \u0664\n", ("line 2", "is no number")),
        ("a 1 2\nb NA NA\n", ("line 2", "'NA' is no number")),
    ],
)
def test_broken_text_is_refused_by_line(tmp_path, content, parts, lazy):
    path = as_bytes(tmp_path / "e.txt", content)

    refused(FormatError, str(path), *parts, source=path)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le"])
def test_utf_16_is_refused(tmp_path, encoding):
    refused(FormatError, "e.vec", source=as_bytes(tmp_path / "e.vec", "2 2\na 1 2\nb 3 4\n".encode(encoding)))


@pytest.mark.parametrize("suffix", [".vec", ".txt", ".bin"])
def test_words_have_no_members_and_no_columns(tmp_path, suffix):
    path = written(tmp_path, suffix)

    refused(UsageError, "without a name", source=f"{path}#vec")
    refused(UsageError, "no columns", "'word'", source=path, id_column="word")
    as_bytes(tmp_path / "names.txt", "".join(f"n{i}\n" for i in range(N)))
    assert open_space(path, ids=tmp_path / "names.txt").ids.tolist() == [f"n{i}" for i in range(N)]


# --- refused: word2vec's .bin ---


@pytest.mark.parametrize("lost", [1, 5, 20, 60])
def test_a_truncated_word2vec_is_refused(tmp_path, lost):
    path = write_word2vec(tmp_path / "e.bin", PLAIN, VECTORS, end=b"")
    path.write_bytes(path.read_bytes()[:-lost])

    refused(FormatError, str(path), "truncated", source=path)


def test_word2vec_that_disagrees_with_its_header_is_refused(tmp_path):
    path = write_word2vec(tmp_path / "e.bin", PLAIN, VECTORS)
    data = path.read_bytes()

    refused(FormatError, "bytes more than the 6 rows", source=as_bytes(path, data.replace(b"7 3\n", b"6 3\n", 1)))
    refused(FormatError, "truncated", source=as_bytes(path, data.replace(b"7 3\n", b"900000000000 3\n", 1)))
    refused(FormatError, "0 rows", source=as_bytes(path, b"0 3\n\0"))
    spaced = write_word2vec(tmp_path / "s.bin", ["a", "New York", "b"], VECTORS[:3])
    refused(FormatError, "space", source=spaced)
    latin = as_bytes(tmp_path / "l.bin", data.replace("ñ".encode(), b"\xf1", 1))
    refused(FormatError, "row 5", "no UTF-8", source=latin)


def test_a_bin_that_is_something_else_is_refused_with_a_recipe(tmp_path):
    model = struct.pack("<ii", 793712314, 12) + b"\0" * 100
    flat = write_fbin(tmp_path / "flat.fbin", VECTORS).rename(tmp_path / "flat.bin")

    refused(FormatError, "fastText model", ".vec", "load_model", source=as_bytes(tmp_path / "m.bin", model))
    refused(FormatError, "fits 7 x 3", "flat.fbin", source=flat)
    refused(FormatError, "no word2vec", source=as_bytes(tmp_path / "n.bin", b"\1\2\3"))
    refused(FormatError, "pickled", source=as_bytes(tmp_path / "p.bin", pickle.dumps([1.0])))


@pytest.mark.parametrize("suffix", [".vec", ".txt", ".jsonl", ".npy"])
def test_compressed_files_are_refused_with_a_recipe(tmp_path, suffix):
    path = tmp_path / f"e{suffix}.gz"
    with gzip.open(path, "wt") as file:
        file.write("a 1 2\n")

    refused(FormatError, "gzip", "gunzip --keep", source=path)
    refused(FormatError, "gzip", source=path.rename(tmp_path / f"e{suffix}"))


# --- refused: JSON lines ---


GOOD = '{"id": "a", "v": [0.5, 1.5]}\n'


@pytest.mark.parametrize(
    ("line", "parts"),
    [
        ('{"id": "b", "v": [0.5', ("line 2", "no JSON object", "truncated")),
        ('{"id": "b", "v": [0.5]}', ("line 2", "has 1 numbers where the first has 2")),
        ('{"id": "b", "v": [0.5, 1, 2]}', ("line 2", "has 3 numbers")),
        ('{"id": "b", "v": []}', ("line 2", "empty list")),
        ('{"id": "b", "v": null}', ("line 2", "'v' is missing")),
        ('{"id": "b"}', ("line 2", "'v' is missing")),
        ('{"id": "b", "v": "0.5 1.5"}', ("line 2", "holds a str")),
        ('{"id": "b", "v": [0.5, "1"]}', ("line 2", "'1', which is no number")),
        ('{"id": "b", "v": [0.5, true]}', ("line 2", "'True', which is no number")),
        ("[0.5, 1.5]", ("line 2", "JSON list", "object")),
        ("7", ("line 2", "JSON int")),
        ("", ("line 2 is empty",)),
        ('{"id": "b", "v": [0.5, 1.5]} {"id": "c", "v": [0.5, 1.5]}', ("line 2", "no JSON object")),
        ('{"v": [0.5, 1.5]}', ("line 2", "no 'id'")),
        ('{"id": null, "v": [0.5, 1.5]}', ("line 2", "no 'id'")),
        ('{"id": 1.5, "v": [0.5, 1.5]}', ("line 2", "1.5")),
        ('{"id": true, "v": [0.5, 1.5]}', ("line 2", "True")),
        ('{"id": ["b"], "v": [0.5, 1.5]}', ("line 2", "['b']")),
        (b'{"id": "\xe9", "v": [0.5, 1.5]}', ("line 2", "no UTF-8", "0xe9")),
        ('{"id": "\\ud83d", "v": [0.5, 1.5]}', ("half a character",)),
    ],
)
def test_broken_json_lines_are_refused_by_line(tmp_path, line, parts, lazy):
    line = line.encode() if isinstance(line, str) else line
    path = as_bytes(tmp_path / "e.jsonl", GOOD.encode() + line + b"\n" + GOOD.encode())

    refused((FormatError, IdError), str(path), *parts, source=path)


def test_json_lines_without_one_vector_are_refused(tmp_path):
    refused(FormatError, "no list of numbers", "'a'", source=as_bytes(tmp_path / "n.jsonl", '{"a": 1}\n'))
    refused(
        FormatError, "2 times", "'p', 'q'", "#p", source=as_bytes(tmp_path / "t.jsonl", '{"p": [0.5], "q": [1.5]}\n')
    )
    refused(FormatError, "line 1 is a JSON list", source=as_bytes(tmp_path / "l.jsonl", "[0.5, 1]\n"))
    refused(FormatError, "line 1", source=as_bytes(tmp_path / "r.json", json.dumps({"a": [0.5]}, indent=1)))
    refused(IdError, "'id'", "[1]", source=as_bytes(tmp_path / "o.jsonl", '{"id": [1], "v": [0.5]}\n'))


@pytest.mark.parametrize("suffix", [*WRITTEN, ".bvecs", ".u8bin", ".i8bin", ".ndjson"])
@pytest.mark.parametrize("seed", range(5))
def test_noise_is_refused(tmp_path, suffix, seed):
    path = as_bytes(tmp_path / f"e{suffix}", np.random.default_rng(seed).bytes(500))

    refused(FormatError, str(path), source=path)


def test_every_format_says_which_of_its_suffixes_are_shared():
    for format in formats():
        assert set(format.shared) <= set(format.suffixes)
        assert not (format.headless and format.shared)


# --- other programs ---


def test_faiss_reads_the_same_vecs(tmp_path):
    vecs_io = pytest.importorskip("faiss.contrib.vecs_io")
    vecs_io.fvecs_write(str(tmp_path / "e.fvecs"), VECTORS)

    np.testing.assert_array_equal(open_space(tmp_path / "e.fvecs").vectors[:], VECTORS)
    np.testing.assert_array_equal(vecs_io.fvecs_read(str(write_vecs(tmp_path / "f.fvecs", VECTORS))), VECTORS)


@pytest.mark.parametrize("binary", [True, False])
def test_gensim_writes_what_is_read(tmp_path, binary):
    gensim = pytest.importorskip("gensim.models")
    vectors = gensim.KeyedVectors(D)
    vectors.add_vectors(PLAIN, VECTORS)
    vectors.save_word2vec_format(str(tmp_path / "e.dat"), binary=binary)
    space = open_space(tmp_path / "e.dat")

    assert space.ids.tolist() == PLAIN
    np.testing.assert_array_equal(space.vectors[:], VECTORS)


# --- memory ---

_PEAK = """
import re, sys
import pyarrow.csv, pyarrow.json
from relcli.formats import lines, rows
from relcli.formats.format import open_space
rows.SMALL, lines._BLOCK = 0, 1 << 20
# what is mapped of the file is not counted: the system takes it back
held = lambda: int(re.search(r"RssAnon:\\s+(\\d+)", open("/proc/self/status").read())[1]) // 1024
before, space, total, most = held(), open_space(sys.argv[1]), 0.0, 0
for start in range(0, len(space), 100):
    total += float(space.vectors[start : start + 100].sum())
    most = max(most, held() - before)
print(most, total)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="only Linux tells what a process holds of its own")
@pytest.mark.parametrize("suffix", [".vec", ".jsonl"])
@pytest.mark.slow
def test_text_is_never_held_whole_when_decoded(tmp_path, suffix):
    vectors = np.round(np.random.default_rng(0).standard_normal((20, 4000)), 6).astype(np.float32)
    path = written(tmp_path, suffix, words=[f"w{i}" for i in range(20)], vectors=vectors)
    body = path.read_bytes().partition(b"\n")[2] if suffix == ".vec" else path.read_bytes()
    times = 150
    as_bytes(path, (b"3000 4000\n" if suffix == ".vec" else b"") + body * times)
    done = subprocess.run([sys.executable, "-c", _PEAK, str(path)], capture_output=True, text=True, check=True)
    used, total = done.stdout.split()

    assert float(total) == pytest.approx(times * float(vectors.sum()), rel=1e-3)
    # the text is more than 100 MB, its numbers 48; a block of lines and what Arrow makes of it are a few MB each
    assert int(used) < 40
