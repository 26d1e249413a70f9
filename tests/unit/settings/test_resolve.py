from pathlib import Path

import pytest

from autoglm_phone.core.errors import SetupError
from autoglm_phone.settings import Hardware, Resolved, load_settings, resolve, this_machine

MACHINE = Hardware(cores=6, memory_bytes=8 << 30)


def resolved(bundle_window: int = 8192, **flags: str) -> Resolved:
    return resolve(load_settings(flags, {}), MACHINE, bundle_window)


def test_what_is_left_open_follows_the_machine() -> None:
    assert resolved() == Resolved(
        threads=6,
        media_threads=1,
        encoder_threads=6,
        prefill_chunk=None,
        spill_bytes=256 << 20,
        max_model_len=8192,
        truncation="error",
    )
    assert resolved(threads="2", prefill_chunk="16").threads == 2
    assert resolved(threads="2", prefill_chunk="16").prefill_chunk == 16
    assert resolved(media_threads="2").encoder_threads == 2


@pytest.mark.parametrize(("memory_gib", "spill_mib"), [(1, 96), (4, 128), (12, 384), (256, 512)])
def test_spilled_prefixes_take_a_small_part_of_the_memory(memory_gib: int, spill_mib: int) -> None:
    machine = Hardware(cores=2, memory_bytes=memory_gib << 30)
    assert resolve(load_settings({}, {}), machine, 8192).spill_bytes == spill_mib << 20
    assert resolve(load_settings({"spill_bytes": "7MiB"}, {}), machine, 8192).spill_bytes == 7 << 20
    assert resolve(load_settings({"spill_bytes": "0"}, {}), machine, 8192).spill_bytes == 0


def test_the_phone_profile_has_the_articles_window() -> None:
    assert resolved(profile="phone").max_model_len == 2048
    assert resolved(profile="phone").truncation == "auto"


def test_what_is_set_outweighs_the_profile() -> None:
    both = resolved(profile="phone", max_model_len="4096", truncation="error")
    assert (both.max_model_len, both.truncation) == (4096, "error")


def test_the_window_follows_a_smaller_model_or_cache_unless_it_was_set() -> None:
    assert resolved(bundle_window=1024).max_model_len == 1024
    assert resolved(kv_tokens="4096").max_model_len == 4096
    with pytest.raises(SetupError, match="made for 1024 tokens"):
        resolved(bundle_window=1024, max_model_len="2048")
    with pytest.raises(SetupError, match="raise kv_tokens"):
        resolved(kv_tokens="4096", max_model_len="8192")


def test_a_containers_limits_are_the_machine(tmp_path: Path) -> None:
    outside = this_machine(tmp_path)
    assert outside.cores >= 1
    (tmp_path / "cpu.max").write_text("100000 100000\n")
    (tmp_path / "memory.max").write_text("1073741824\n")
    assert this_machine(tmp_path) == Hardware(1, 1 << 30)
    (tmp_path / "cpu.max").write_text("max 100000\n")
    (tmp_path / "memory.max").write_text("max\n")
    assert this_machine(tmp_path) == outside
