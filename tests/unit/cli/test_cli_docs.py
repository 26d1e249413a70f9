from autoglm_phone.cli.docs import DOCS, pages
from autoglm_phone.settings import Settings


def test_the_pages_say_what_the_program_says() -> None:
    assert {path.name: path.read_text() for path in pages()} == {path.name: text for path, text in pages().items()}


def test_every_setting_has_a_flag_and_a_line() -> None:
    cli, configuration = (DOCS / "cli.md").read_text(), (DOCS / "configuration.md").read_text()
    for name, field in Settings.model_fields.items():
        assert f"--{name.replace('_', '-')}" in cli
        assert f"| `{name}` |" in configuration
        assert field.description
