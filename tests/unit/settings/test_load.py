from pathlib import Path

import pytest

from autoglm_phone.core.errors import SetupError
from autoglm_phone.settings import Settings, load_settings


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "settings.toml"
    path.write_text('port = 1\nhost = "file"\nmax_tokens = 10\nspill_bytes = "2MiB"\nserved_model_name = ["a"]\n')
    return path


def test_flags_outweigh_variables_and_these_the_file(config: Path) -> None:
    settings = load_settings({"port": "3"}, {"AUTOGLM_PORT": "2", "AUTOGLM_HOST": "variable"}, config)
    assert (settings.port, settings.host, settings.max_tokens, settings.max_running) == (3, "variable", 10, 8)
    assert settings.spill_bytes == 2 << 20
    assert settings.served_model_name == ("a",)


def test_the_file_may_be_named_by_a_variable(config: Path) -> None:
    assert load_settings({}, {"AUTOGLM_CONFIG": str(config)}).port == 1


def test_nothing_set_gives_the_documented_defaults() -> None:
    assert load_settings({}, {"PATH": "/bin", "AUTOGLM_TEST_DATA": "x", "AUTOGLM_HOME": "y"}) == Settings()


def test_lists_and_switches_can_be_written_in_variables() -> None:
    settings = load_settings({}, {"AUTOGLM_SERVED_MODEL_NAME": "a, b", "AUTOGLM_STRICT_MODEL": "true"})
    assert settings.served_model_name == ("a", "b")
    assert settings.strict_model


@pytest.mark.parametrize(
    ("flags", "environ", "message"),
    [
        ({"port": "99999"}, {}, r"^--port: '99999' is wrong; .*65535"),
        ({"max_model_len": "-1"}, {}, "^--max-model-len: "),
        ({"truncation": "middle"}, {}, "'error' or 'auto'"),
        ({"threads": "0"}, {}, "^--threads: '0' is wrong"),
        ({}, {"AUTOGLM_MAX_TOKENS": "many"}, "^AUTOGLM_MAX_TOKENS: 'many' is wrong"),
        ({}, {"AUTOGLM_SPILL_BYTES": "lots"}, "^AUTOGLM_SPILL_BYTES: "),
        ({}, {"AUTOGLM_PROT": "1"}, "^AUTOGLM_PROT is set and means nothing"),
    ],
)
def test_a_wrong_value_names_its_origin(flags: dict[str, str], environ: dict[str, str], message: str) -> None:
    with pytest.raises(SetupError, match=message):
        load_settings(flags, environ)


def test_a_wrong_line_of_the_file_names_the_file(tmp_path: Path) -> None:
    path = tmp_path / "settings.toml"
    path.write_text('prot = 1\nkv_tokens = "x"\n')
    with pytest.raises(SetupError) as caught:
        load_settings({}, {}, path)
    assert f"prot in {path}: there is no such setting" in str(caught.value)
    assert f"kv_tokens in {path}: 'x' is wrong" in str(caught.value)
    path.write_text("port is 1")
    with pytest.raises(SetupError, match="is not TOML"):
        load_settings({}, {}, path)
    with pytest.raises(SetupError, match="cannot be read"):
        load_settings({}, {}, tmp_path / "nowhere.toml")


def test_a_key_is_never_shown() -> None:
    assert "hush" not in repr(load_settings({"api_key": "hush"}, {}))
    with pytest.raises(SetupError, match=r"^--api-key: ") as caught:
        load_settings({"api_key": ""}, {})
    assert "hush" not in str(caught.value)
    with pytest.raises(SetupError) as caught:
        load_settings({"api_key": 12345}, {})
    assert "12345" not in str(caught.value)


def test_settings_cannot_be_changed_afterwards() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Settings().port = 9
