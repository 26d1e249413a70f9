import re
from pathlib import Path

from autoglm_phone.weights.bundle import load_bundle

PAGE = Path(__file__).parents[3] / "docs" / "bundle-format.md"


def test_the_pages_example_is_a_bundle(tmp_path: Path) -> None:
    [example] = re.findall(r"```toml\n(.*?)```", PAGE.read_text(), re.DOTALL)
    # the page leaves out what the other two modules have in common with the first
    (tmp_path / "bundle.toml").write_text(example.partition("[speech]")[0])
    (tmp_path / "system_prompt.txt").write_text("You are mine.")
    bundle = load_bundle(tmp_path)
    assert bundle.sampling.top_k == 20
    assert bundle.text.files[0].name == "decoder.gguf"
