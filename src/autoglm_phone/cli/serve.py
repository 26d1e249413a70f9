"""`autoglm-phone serve`: one option for each setting, made from the settings themselves."""

import inspect
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ByteSize, SecretStr
from pydantic.fields import FieldInfo

from autoglm_phone.assemble.server import chosen_bundle, run
from autoglm_phone.cli.progress_bar import ProgressBar
from autoglm_phone.settings import Settings, load_settings, this_machine
from autoglm_phone.settings.load import flag_of
from autoglm_phone.weights.catalogue import bundle_ids
from autoglm_phone.weights.checkpoint import is_checkpoint
from autoglm_phone.weights.importing import Wishes
from autoglm_phone.weights.store import Store, cache_home


def serve_command(run_server: Callable[[Settings], int] = run) -> Callable[..., None]:
    """The function behind the command; typer reads its options off the signature."""

    def serve(config: Path | None = None, **flags: Any) -> None:
        given = {field: value for field, value in flags.items() if value is not None}
        settings = with_converted(load_settings(given, os.environ, config))
        get_files(settings)
        raise typer.Exit(run_server(settings))

    options = [_config_option(), *(_option(name, field) for name, field in Settings.model_fields.items())]
    serve.__signature__ = inspect.Signature(options)  # type: ignore[attr-defined]  # functions take it, stubs do not say
    serve.__annotations__ = {option.name: option.annotation for option in options}
    serve.__doc__ = (
        "Start the server. A setting is read from its flag, else from the variable AUTOGLM_<NAME>, else from the "
        "settings file, else it has its default."
    )
    return serve


def with_converted(settings: Settings) -> Settings:
    """A checkpoint of a model hub is converted at its first start; what is served is the bundle that it has become."""
    checkpoint = Path(settings.model).expanduser().absolute()
    if not is_checkpoint(checkpoint):
        return settings
    # Here and not at the top: few starts need it.
    from autoglm_phone.assemble.checkpoints import DEFAULT_MIX, converted_id, import_checkpoint

    store, bundle_id = Store(cache_home(os.environ), say=tell), converted_id(checkpoint)
    if bundle_id not in bundle_ids(store.imported):
        with ProgressBar(f"Converting {checkpoint.name} to {DEFAULT_MIX}") as bar:
            import_checkpoint(store, checkpoint, Wishes(bundle_id), DEFAULT_MIX, this_machine().cores, bar)
    return settings.model_copy(update={"model": bundle_id})


def get_files(settings: Settings) -> None:
    """Have the model's files verified and, where packages carry them, put together before the server needs them."""
    store = Store(cache_home(os.environ), say=tell)
    bundle = chosen_bundle(store, settings)
    with ProgressBar(f"Checking {bundle.id}") as bar:
        store.locate(bundle, bar)
    if spent := store.spent_packages(bundle):
        tell(f"The model's files stand in {store.home}; their second copy may go: pip uninstall {' '.join(spent)}")


def tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _config_option() -> inspect.Parameter:
    about = typer.Option("--config", metavar="FILE", help="Settings file (TOML), else the one AUTOGLM_CONFIG names.")
    return _parameter("config", Annotated[Path | None, about])


def _option(name: str, field: FieldInfo) -> inspect.Parameter:
    """Values stay text until the settings judge them, so that one place says what is wrong with any of them."""
    flag = flag_of(name)
    if field.annotation is bool:
        flag = f"{flag}/--no-{flag.removeprefix('--')}"
        shown = "on" if field.default else "off"
        about = typer.Option(flag, help=f"{field.description}. [default: {shown}]")
        return _parameter(name, Annotated[bool | None, about])
    text = f"{field.description}. [default: {default_of(field)}]"
    about = typer.Option(flag, help=text, metavar=kind_of(field))
    return _parameter(name, Annotated[str | None, about])


def _parameter(name: str, annotation: Any) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)


def kind_of(field: FieldInfo) -> str:
    """What a value looks like, for people."""
    text = str(field.annotation)
    choices = [str(value) for value in getattr(field.annotation, "__args__", ()) if isinstance(value, str)]
    if choices:
        return "|".join(choices)
    if "ByteSize" in text:
        return "SIZE|auto" if "auto" in text else "SIZE"
    if "tuple" in text:
        return "NAME,..."
    if "auto" in text:
        return "N|auto"
    return "N" if field.annotation is int else "TEXT"


def default_of(field: FieldInfo) -> str:
    value = field.default
    if isinstance(value, ByteSize):
        return f"{value >> 20}MiB"
    if value is None or value == () or isinstance(value, SecretStr):
        return "none"
    return str(value)
