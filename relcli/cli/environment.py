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
    from relcli.arrays import product_rate
    from relcli.engines.local import available_cores
    from relcli.kernels.tiers import explained

    typer.echo(f"relcli {VERSION} · python {python_version()} · {platform()}")
    for name in ("numpy", "scipy", "scikit-learn", "pyarrow", "safetensors", "torch", "numba"):
        try:
            typer.echo(f"{name} {version(name)}")
        except PackageNotFoundError:
            typer.echo(f"{name} is not installed")
    typer.echo(f"{available_cores()} cores, one worker each")
    typer.echo(f"float32 products: {product_rate():,.0f} GF/s on one core")
    typer.echo(f"many products: {explained()}")
    pools = threadpool_info()
    if any(pool.get("architecture") in ("Haswell", "Zen") for pool in pools) and _has_avx512():
        # OpenBLAS picks AVX2 kernels on processors it does not know, such as newer AMD ones
        typer.echo("  this processor has AVX-512: OPENBLAS_CORETYPE=SkylakeX in the environment may nearly double that")
    for pool in pools:
        typer.echo(f"{pool['user_api']}: {pool['internal_api']} {pool['version']} ({pool.get('architecture', '?')})")


def _has_avx512() -> bool:
    try:
        with open("/proc/cpuinfo", encoding="ascii", errors="replace") as file:
            return any(line.startswith("flags") and "avx512f" in line.split() for line in file)
    except OSError:
        return False
