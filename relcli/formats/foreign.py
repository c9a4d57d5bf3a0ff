"""Files that may hold vectors, but not so that relcli reads them: how they are told, and how to convert them."""

from __future__ import annotations

from pathlib import Path

from relcli.errors import FormatError

_COMPRESSED = {
    b"\x1f\x8b": ("gzip", "gunzip --keep"),
    b"\x28\xb5\x2f\xfd": ("zstd", "unzstd --keep"),
    b"\xfd7zXZ\x00": ("xz", "unxz --keep"),
    b"BZh": ("bzip2", "bunzip2 --keep"),
}
_FASTTEXT = (793_712_314).to_bytes(4, "little")
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_NEIGHBOURS = (".ivecs", ".ibin")


def refuse_suffix(path: Path) -> None:
    """Raise FormatError for a file whose suffix tells that it holds no vectors."""
    if path.suffix.lower() in _NEIGHBOURS:
        raise FormatError(
            f"{path} is no file of vectors: a {path.suffix} lists integers, mostly the rows nearest to each query. "
            "Give the .fvecs, .bvecs, .fbin, .u8bin or .i8bin that it belongs to."
        )


def refuse_head(path: Path, head: bytes) -> None:
    """Raise FormatError, with a recipe, for a file whose first bytes tell that it must be converted."""
    for magic, (name, command) in _COMPRESSED.items():
        if head.startswith(magic):
            raise FormatError(
                f"{path} is compressed by {name}, and rows cannot be read on demand from it. "
                f"Unpack it once: {command} '{path.name}'"
            )
    if head.startswith(_FASTTEXT):
        raise FormatError(
            f"{path} is a fastText model, not its vectors. Take the .vec that was made with it, or write one: "
            f"""python -c "import fasttext; m = fasttext.load_model('{path.name}'); """
            f"""open('{path.stem}.vec', 'w', encoding='utf-8', newline='').writelines("""
            "w + ' ' + ' '.join(map(str, m[w])) + chr(10) for w in m.words)\""
        )
    if head.startswith(_UTF16):
        raise FormatError(
            f"{path} is UTF-16 text: UTF-8 is wanted. Convert it: iconv -f UTF-16 -t UTF-8 '{path.name}' > "
            f"'{path.stem}-utf8{path.suffix}'"
        )
