"""The version of relcli, in one place."""

VERSION = "0.1.0"


def versions() -> dict[str, str]:
    """Return what a figure depends on: the version of relcli, of Python and of each library that computed it."""
    from importlib.metadata import version
    from platform import python_version

    libraries = ("numpy", "scipy", "pyarrow", "safetensors")
    return {"relcli": VERSION, "python": python_version(), **{name: version(name) for name in libraries}}
