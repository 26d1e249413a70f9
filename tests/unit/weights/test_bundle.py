from pathlib import Path

import pytest
from small_bundle import HEAD, SPEECH, TEXT, WORDS, file_entry, module, sha256, small_bundle, write_bundle

from autoglm_phone.core.errors import BundleError
from autoglm_phone.core.module import Mark
from autoglm_phone.weights.bundle import check_served, load_bundle
from autoglm_phone.weights.bundle_file import write_bundle as write_described


def test_a_bundle_is_read_from_its_folder_or_its_file(tmp_path: Path) -> None:
    folder = write_bundle(tmp_path)
    bundle = load_bundle(folder)
    assert bundle == load_bundle(folder / "bundle.toml")
    assert bundle.id == "small"
    assert bundle.system_prompt == "You are small."
    assert bundle.max_model_len == 512
    assert list(bundle.modules) == ["text", "speech"]
    assert bundle.text.files[0].size_bytes == len(WORDS)


def test_only_text_is_required(tmp_path: Path) -> None:
    assert list(load_bundle(write_bundle(tmp_path, HEAD + TEXT)).modules) == ["text"]
    with pytest.raises(BundleError, match="missing required field `text`"):
        load_bundle(write_bundle(tmp_path, HEAD + SPEECH))


def test_modules_can_be_left_out_but_text(tmp_path: Path) -> None:
    bundle = small_bundle(tmp_path)
    assert set(bundle.with_only({"vision"}).modules) == {"text"}
    assert bundle.with_only({"speech"}) == bundle


def test_the_digest_of_one_file_is_its_own_and_of_several_covers_all(tmp_path: Path) -> None:
    text = small_bundle(tmp_path).text
    assert text.digest == sha256(WORDS)
    two = SPEECH + SPEECH[SPEECH.index("[[speech.files]]") :].replace("model.bin", "config.json")
    speech = load_bundle(write_bundle(tmp_path, HEAD + TEXT + two)).modules["speech"]
    other = two.replace("config.json", "vocabulary.txt")
    renamed = load_bundle(write_bundle(tmp_path, HEAD + TEXT + other)).modules["speech"]
    assert len({speech.digest, renamed.digest, *(file.sha256 for file in speech.files)}) == 3


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('title = "Small"', 'titel = "Small"', "titel"),
        ('version = "1"', 'version = "1"\ncolour = "red"', r"unknown field `colour` - at `\$\.text`"),
        ("max_model_len = 512", "max_model_len = 0", r"at `\$\.max_model_len`"),
        ("size_bytes = 34", "size_bytes = -1", "size_bytes"),
        (sha256(WORDS), sha256(WORDS)[:20], "sha256"),
        ('name = "w.gguf"', 'name = "../w.gguf"', "name"),
        ('path = "words_1/data/part.bin"', 'path = "../../etc/passwd"', "leads out of its package"),
        ('path = "words_1/data/part.bin"', 'path = "/etc/passwd"', "leads out of its package"),
        ('format = "gguf"', 'format = "onnx"', r"'onnx' of \[text\] is not known, only 'gguf' or 'safetensors'"),
        ('kind = "decoder"', 'kind = "encoder"', "'encoder'"),
        ('revision = "0', 'revision = "main', "revision"),
        ("id = ", "id is ", "Expected '='"),
        ("[text]", "[sampling]\ntemperature = 9.0\n[text]", r"`\$\.sampling\.temperature`"),
        ("[text]", "[sampling]\nheat = 0.1\n[text]", "unknown field `heat`"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in HEAD + TEXT
    folder = write_bundle(tmp_path, (HEAD + TEXT).replace(old, new, 1))
    with pytest.raises(BundleError, match=message) as caught:
        load_bundle(folder)
    assert str(folder / "bundle.toml") in str(caught.value)


def test_a_form_that_this_version_cannot_serve_is_named(tmp_path: Path) -> None:
    described = load_bundle(write_bundle(tmp_path, (HEAD + TEXT).replace('"gguf"', '"safetensors"')))
    with pytest.raises(
        BundleError,
        match=r"decoder safetensors qwen2, which this version cannot serve, only decoder gguf: text is computed by "
        r"llama\.cpp; convert the checkpoint",
    ):
        check_served(described)


EARS = module(
    "speech",
    "encoder",
    "safetensors",
    "glmasr",
    file_entry("speech", "config.json", b"{}") + file_entry("speech", "ears.safetensors", b"weights"),
    'widths = { d_out = 8 }\nmark = { before = "<|begin_of_audio|>", behind = "<|end_of_audio|>" }',
)
WIDE_TEXT = TEXT.replace("[[text.files]]", "widths = { d_model = 8 }\n[[text.files]]", 1)


def test_a_mark_is_read_and_written_and_only_an_encoder_has_one(tmp_path: Path) -> None:
    described = load_bundle(write_bundle(tmp_path / "one", HEAD + WIDE_TEXT + EARS))
    check_served(described)
    assert described.modules["speech"].mark == Mark("<|begin_of_audio|>", "<|end_of_audio|>")
    again = tmp_path / "two"
    write_described(described, again, {})
    assert load_bundle(again).modules == described.modules
    for wrong, words in (
        (HEAD + WIDE_TEXT.replace("[[text.files]]", 'mark = { before = "x" }\n[[text.files]]', 1), "has a mark; only"),
        (HEAD + WIDE_TEXT + EARS.replace("<|begin_of_audio|>", "x" * 201), "more than 200 characters"),
    ):
        with pytest.raises(BundleError, match=words):
            load_bundle(write_bundle(tmp_path / words[:4], wrong))


def test_a_projector_of_its_own_is_a_speech_encoders_in_safetensors(tmp_path: Path) -> None:
    projector = """
[speech.projector]
format = "FORMAT"
arch = "ultravox"
widths = { d_in = 8, d_out = 8 }
""" + file_entry("speech.projector", "projector.safetensors", b"projector")
    served = load_bundle(
        write_bundle(tmp_path / "one", HEAD + WIDE_TEXT + EARS + projector.replace("FORMAT", "safetensors"))
    )
    check_served(served)
    other = load_bundle(write_bundle(tmp_path / "two", HEAD + WIDE_TEXT + EARS + projector.replace("FORMAT", "onnx")))
    with pytest.raises(BundleError, match=r"\[speech.projector\] is onnx behind safetensors"):
        check_served(other)


def test_two_files_of_a_module_need_two_names(tmp_path: Path) -> None:
    twice = SPEECH + SPEECH[SPEECH.index("[[speech.files]]") :]
    with pytest.raises(BundleError, match="one name"):
        load_bundle(write_bundle(tmp_path, HEAD + TEXT + twice))


def test_a_gguf_is_one_file(tmp_path: Path) -> None:
    twice = TEXT + TEXT[TEXT.index("[[text.files]]") :].replace("w.gguf", "v.gguf")
    with pytest.raises(BundleError, match="names 2 files"):
        load_bundle(write_bundle(tmp_path, HEAD + twice))


def test_a_bundle_without_a_prompt_is_refused(tmp_path: Path) -> None:
    folder = write_bundle(tmp_path)
    (folder / "system_prompt.txt").write_text(" \n")
    with pytest.raises(BundleError, match="is empty"):
        load_bundle(folder)
    (folder / "system_prompt.txt").unlink()
    with pytest.raises(BundleError, match=r"system_prompt\.txt cannot be read"):
        load_bundle(folder)


def test_hostile_files_are_refused(tmp_path: Path) -> None:
    folder = write_bundle(tmp_path)
    (folder / "bundle.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(BundleError, match="not UTF-8"):
        load_bundle(folder)
    (folder / "bundle.toml").write_bytes(b"#" * 300_000)
    with pytest.raises(BundleError, match="longer than"):
        load_bundle(folder)
    with pytest.raises(BundleError, match="cannot be read"):
        load_bundle(tmp_path / "nowhere")
