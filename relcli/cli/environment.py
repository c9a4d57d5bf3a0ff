"""relcli env"""

from __future__ import annotations

import typer


def env() -> None:
    """
    Print what relcli runs on: versions, cores, and which library does the matrix products.

    Example: relcli env
    """
    from importlib.metadata import PackageNotFoundError, version
    from platform import platform, python_version

    import numpy  # noqa: F401  (so that threadpoolctl sees its BLAS)
    from threadpoolctl import threadpool_info

    from relcli._version import VERSION
    from relcli.engines.local import available_cores

    typer.echo(f"relcli {VERSION} · python {python_version()} · {platform()}")
    for name in ("numpy", "scipy", "scikit-learn", "pyarrow", "safetensors", "torch"):
        try:
            typer.echo(f"{name} {version(name)}")
        except PackageNotFoundError:
            typer.echo(f"{name} is not installed")
    typer.echo(f"{available_cores()} cores, one worker each")
    for pool in threadpool_info():
        typer.echo(f"{pool['user_api']}: {pool['internal_api']} {pool['version']} ({pool.get('architecture', '?')})")
