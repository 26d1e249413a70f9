from scripted_services import House

from autoglm_phone.core.memory import MemoryReport


def test_the_estimate_is_told_with_its_sums_and_parts() -> None:
    memory = House().get("/v1/memory").json()
    assert memory["machine_bytes"] == 1000
    sums = ("needed_bytes", "resident_bytes", "largest_bytes")
    assert [memory["estimated"][name] for name in sums] == [490, 520, 720]
    assert memory["estimated"]["parts"][1] == {
        "process": "engine",
        "name": "weights' file behind their copies",
        "size_bytes": 30,
        "kind": "reclaimable",
    }
    assert memory["measured"][1] == {"process": "engine", "resident_bytes": 425}


def test_a_decoder_that_does_not_say_enough_has_no_estimate() -> None:
    house = House(memory=MemoryReport(None, 1000, {"api": 95}))
    assert house.get("/v1/memory").json()["estimated"] is None


def test_memory_is_told_to_those_with_the_key_alone() -> None:
    assert House().get("/v1/memory", api_key="secret").status_code == 401
