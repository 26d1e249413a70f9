"""Puts settings together: flags before environment before file before default. Pure but for reading the file."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import SecretStr, ValidationError

from autoglm_phone.core.errors import SetupError
from autoglm_phone.settings.fields import Settings

PREFIX = "AUTOGLM_"
# Variables of this name that are no settings: where things are, and what the tests are told.
OTHER_VARIABLES = frozenset(
    {
        "AUTOGLM_CONFIG",
        "AUTOGLM_HOME",
        "AUTOGLM_VENV",
        "AUTOGLM_CHROMIUM",
        "AUTOGLM_REQUIRE_PARTS",
        "AUTOGLM_SCREENSHOTS",
    }
)
TEST_PREFIX = "AUTOGLM_TEST_"


def flag_of(field: str) -> str:
    return "--" + field.replace("_", "-")


def variable_of(field: str) -> str:
    return PREFIX + field.upper()


def load_settings(flags: Mapping[str, Any], environ: Mapping[str, str], config: Path | None = None) -> Settings:
    """flags: those given on the command line, by field name. config: the file, else AUTOGLM_CONFIG names it.

    Raises SetupError that names the origin of each wrong value.
    """
    values: dict[str, Any] = {}
    origins: dict[str, str] = {}
    if config is None and environ.get("AUTOGLM_CONFIG"):
        config = Path(environ["AUTOGLM_CONFIG"]).expanduser()
    if config is not None:
        for field, value in _read(config).items():
            values[field], origins[field] = value, f"{field} in {config}"
    for field, value in _from_environment(environ).items():
        values[field], origins[field] = value, variable_of(field)
    for field, value in flags.items():
        values[field], origins[field] = value, flag_of(field)
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        raise SetupError("\n".join(_explain(error, origins))) from error


def _read(config: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(config.read_text(encoding="utf-8"))
    except OSError as error:
        raise SetupError(f"the settings file {config} cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SetupError(f"the settings file {config} is not TOML: {error}") from error


def _from_environment(environ: Mapping[str, str]) -> dict[str, str]:
    known = {variable_of(field): field for field in Settings.model_fields}
    values = {}
    for name, value in environ.items():
        if name in known:
            values[known[name]] = value
        elif name.startswith(PREFIX) and name not in OTHER_VARIABLES and not name.startswith(TEST_PREFIX):
            raise SetupError(f"{name} is set and means nothing; docs/configuration.md lists the variables")
    return values


def _explain(error: ValidationError, origins: Mapping[str, str]) -> list[str]:
    """A line for each wrong setting; one that may be of several types has a reason from each of them."""
    reasons: dict[str, list[str]] = {}
    for fault in error.errors(include_url=False):
        field = str(fault["loc"][0])
        if fault["type"] == "extra_forbidden":
            reasons[field] = ["there is no such setting; docs/configuration.md lists them"]
        else:
            reasons.setdefault(field, [_shown(field, fault["input"])]).append(fault["msg"])
    return [f"{origins[field]}: {'; '.join(said)}" for field, said in reasons.items()]


def _shown(field: str, value: object) -> str:
    is_secret = Settings.model_fields[field].annotation == SecretStr | None
    return "the value is wrong" if is_secret else f"{value!r} is wrong"
