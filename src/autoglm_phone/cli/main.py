"""The command `autoglm-phone`: its subcommands, and the edge where errors become a line and an exit status."""

import sys
from typing import Annotated

import typer

from autoglm_phone import __version__
from autoglm_phone.cli.bundle import bundle_app, import_model
from autoglm_phone.cli.chat import chat
from autoglm_phone.cli.convert import convert, synth
from autoglm_phone.cli.doctor import doctor
from autoglm_phone.cli.estimate import estimate
from autoglm_phone.cli.kernels import kernels_app
from autoglm_phone.cli.models import models_app
from autoglm_phone.cli.serve import serve_command
from autoglm_phone.core.errors import AutoGLMError

app = typer.Typer(
    name="autoglm-phone",
    help="A private assistant server that reads, sees and hears on your own hardware.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command("serve")(serve_command())
app.command("chat")(chat)
app.add_typer(models_app, name="models")
app.add_typer(bundle_app, name="bundle")
app.command("import")(import_model)
app.add_typer(kernels_app, name="kernels")
app.command("doctor")(doctor)
app.command("estimate")(estimate)
app.command("convert")(convert)
app.command("synth")(synth)


def _show_version(is_wanted: bool) -> None:
    if is_wanted:
        print(f"autoglm-phone {__version__}")
        raise typer.Exit


@app.callback()
def common(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    pass


def main() -> None:
    try:
        app()
    except AutoGLMError as error:
        print(f"autoglm-phone: {error}", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
