"""The command line: commands mounted, errors turned into exit codes."""

from __future__ import annotations

import codecs
import json
import os
import sys
import warnings
from collections.abc import Sequence
from contextlib import redirect_stdout, suppress
from typing import Any

import typer
import typer.core

from relcli._version import VERSION
from relcli.cli import (
    anchors_check,
    anchors_choose,
    check,
    classify,
    compare,
    config,
    diff,
    environment,
    inspect,
    match,
    matrix,
    project,
    recommend,
    retrieve,
    schema,
    stitch,
    stitch_apply,
    sweep,
    translate_apply,
    translate_fit,
)
from relcli.errors import RelcliError

ANSWERED, FAILED, NO_ANSWER, FAULT, INTERRUPTED = 0, 1, 2, 3, 130


class _Commands(typer.core.TyperGroup):
    """Commands of one word or two: `relcli stitch apply` is a command of its own beside `relcli stitch X Y`."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        both = " ".join(args[:2])
        if len(args) > 1 and both in self.commands:
            return both, self.commands[both], args[2:]
        return super().resolve_command(ctx, args)


app = typer.Typer(
    name="relcli",
    cls=_Commands,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Tell whether, how and where two models' latent spaces agree.",
    epilog="Exit codes: 0 answered, 1 a check failed, 2 could not answer, 3 a fault of relcli, 130 interrupted.",
)
app.command("compare")(compare.compare)
app.command("check")(check.check)
app.command("diff")(diff.diff)
app.command("project")(project.project)
app.command("inspect")(inspect.inspect)
translate = typer.Typer(
    help="Carry one model's vectors into another model's space.\n\n"
    "Example: relcli translate fit digits_ae_s0.npy digits_ae_s1.parquet --anchors anchors.txt -o map.safetensors"
)
translate.command("fit")(translate_fit.fit)
translate.command("apply")(translate_apply.apply)
app.add_typer(translate, name="translate")
anchors = typer.Typer(
    help="Choose anchors, or check those there are.\n\nExample: relcli anchors check anchors.txt digits_ae_s0.npy"
)
anchors.command("choose")(anchors_choose.choose)
anchors.command("check")(anchors_check.check)
app.add_typer(anchors, name="anchors")
app.command("recommend")(recommend.recommend)
app.command("retrieve")(retrieve.retrieve)
app.command("stitch")(stitch.stitch)
app.command("stitch apply")(stitch_apply.apply)
app.command("classify")(classify.classify)
app.command("match")(match.match)
app.command("sweep")(sweep.sweep)
app.command("matrix")(matrix.matrix)
app.command("schema")(schema.schema)
app.command("config")(config.config)
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
    _replace_closed_streams()
    _write_any_character()
    if not arguments:
        with redirect_stdout(sys.stderr):
            app(["--help"], prog_name="relcli", standalone_mode=False)
        return NO_ANSWER
    try:
        with warnings.catch_warnings():
            # what numpy warns of, an overflow or a division by zero, ends as a score that says why it is undefined
            warnings.simplefilter("ignore", RuntimeWarning)
            code = app(list(arguments), prog_name="relcli", standalone_mode=False)
        sys.stdout.flush()
        if code == INTERRUPTED:  # what newer versions of typer make of a KeyboardInterrupt
            raise KeyboardInterrupt
        return code if isinstance(code, int) else ANSWERED
    except RelcliError as error:
        _tell(str(error))
        return error.exit_code
    except _UsageFault as error:
        context = getattr(error, "ctx", None)
        command = context.command_path if context else "relcli"
        _tell(f"{error.format_message().rstrip('.')}. See {command} --help.")  # type: ignore[attr-defined]
        return NO_ANSWER
    except (typer.Abort, KeyboardInterrupt):
        _tell("interrupted.")
        return INTERRUPTED
    except (BrokenPipeError, SystemExit):
        # the reader has gone, which is its right; click and rich turn that into a SystemExit
        _discard_stdout()
        return ANSWERED
    except MemoryError:
        _tell("out of memory. Use fewer queries (--sample) or fewer workers (--workers 1).")
        return NO_ANSWER
    except OSError as error:
        # files are read and written under errors of their own, so this is stdout, or the machine
        _discard_stdout()
        _tell(f"the system refuses: {error}. Make room or write elsewhere, then run it again.")
        return NO_ANSWER
    except Exception:
        import traceback

        traceback.print_exc()
        _tell("this is a fault of relcli, not of your data; please report it.")
        return FAULT


def _write_any_character() -> None:
    """Let stdout write what its encoding lacks as JSON does: \\u6771, in a document and a table alike."""
    codecs.register_error("relcli", _escaped)
    with suppress(AttributeError, ValueError, OSError):
        sys.stdout.reconfigure(errors="relcli")  # type: ignore[union-attr]


def _escaped(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeEncodeError)
    return json.dumps(error.object[error.start : error.end])[1:-1], error.end


def _tell(message: str) -> None:
    print(f"relcli: {' '.join(line.strip() for line in message.splitlines())}", file=sys.stderr)


def _discard_stdout() -> None:
    """Send stdout nowhere: what is still buffered must not be flushed as the interpreter ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _replace_closed_streams() -> None:
    # with `>&-` Python has no stdout at all, and the next file opened would take its number
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115
