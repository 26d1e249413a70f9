from autoglm_phone.server.docs import PAGE, updated
from autoglm_phone.server.errors import ANSWERS
from autoglm_phone.server.fields import UNSUPPORTED, WITHOUT_EFFECT
from autoglm_phone.server.metrics import ServerMetrics
from autoglm_phone.server.schemas.chat_request import ChatCompletionRequest


def test_the_committed_page_has_the_tables_of_the_code() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert page == updated(page), "run: python -m autoglm_phone.server.docs"


def test_the_tables_are_whole() -> None:
    page = updated("".join(f"<!-- table: {name} -->\n<!-- end -->\n" for name in ("fields", "unsupported", "errors")))
    for name in (*ChatCompletionRequest.model_fields, *(name for name in UNSUPPORTED if "." not in name)):
        assert f"| `{name}` |" in page
    for answer in ANSWERS.values():
        assert answer.when in page


def test_every_field_is_described_and_in_one_table_only() -> None:
    assert all(field.description for field in ChatCompletionRequest.model_fields.values())
    tables = [set(ChatCompletionRequest.model_fields), set(UNSUPPORTED), set(WITHOUT_EFFECT)]
    assert len(set.union(*tables)) == sum(map(len, tables))


def test_every_metric_is_on_the_page() -> None:
    page = PAGE.read_text(encoding="utf-8")
    for metric in ServerMetrics().registry.collect():
        assert f"`{metric.name}" in page
