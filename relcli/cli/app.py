"""The command line: commands mounted, errors turned into exit codes."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import typer

from relcli._version import VERSION
from relcli.cli import compare, environment, schema
from relcli.errors import RelcliError

ANSWERED, FAILED, NO_ANSWER, FAULT, INTERRUPTED = 0, 1, 2, 3, 130

app = typer.Typer(
    name="relcli",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Tell whether, how and where two models' latent spaces agree.",
    epilog="Exit codes: 0 answered, 1 a check failed, 2 could not answer, 3 a fault of relcli, 130 interrupted.",
)
app.command("compare")(compare.compare)
app.command("schema")(schema.schema)
app.command("env")(environment.env)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"relcli {VERSION}")
        raise typer.Exit


@app.callback()
def _root(
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Print the version."),
) -> None:
    pass


# typer carries click's exceptions under a path of its own that has changed between releases
_UsageFault: type[Exception] = next(c for c in typer.BadParameter.__mro__ if c.__name__ == "ClickException")


def run(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code; whatever goes wrong is told on stderr."""
    try:
        code = app(list(arguments), standalone_mode=False)
        sys.stdout.flush()
        return code if isinstance(code, int) else ANSWERED
    except RelcliError as error:
        print(f"relcli: {error}", file=sys.stderr)
        return error.exit_code
    except _UsageFault as error:
        error.show()  # type: ignore[attr-defined]
        return NO_ANSWER
    except (typer.Abort, KeyboardInterrupt):
        print("relcli: interrupted.", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # the reader has gone, which is its right; keep the interpreter from flushing into nowhere
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ANSWERED
    except MemoryError:
        print(
            "relcli: out of memory. Use fewer queries (--sample) or fewer workers (--workers 1).",
            file=sys.stderr,
        )
        return NO_ANSWER
    except Exception:
        import traceback

        traceback.print_exc()
        print("relcli: this is a fault of relcli, not of your data; please report it.", file=sys.stderr)
        return FAULT
