"""Who is taken for the same client."""

import asyncio
from typing import Any

import httpx
import pytest
from scripted_services import House

from autoglm_phone.core.request import Client

MESSAGES = [{"role": "user", "content": "Hi"}]
BODIES: dict[str, dict[str, Any]] = {
    "/v1/chat/completions": {"messages": MESSAGES},
    "/v1/completions": {"prompt": "Hi"},
    "/v1/responses": {"input": "Hi"},
}


def asked_by(host: str, path: str = "/v1/chat/completions", agent: str = "a", **fields: Any) -> Client:
    house = House()

    async def ask() -> None:
        transport = httpx.ASGITransport(house.app(), client=(host, 50_000))
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            answer = await client.post(path, json={**BODIES[path], **fields}, headers={"user-agent": agent})
            assert answer.status_code == 200

    asyncio.run(ask())
    [request] = house.chat.requests
    return request.client


@pytest.mark.parametrize("path", BODIES)
def test_address_then_name_then_program_tell_clients_apart(path: str) -> None:
    script = asked_by("192.168.0.2", path, "script")
    page = asked_by("192.168.0.2", path, "page")
    elsewhere = asked_by("192.168.0.3", path, "script")
    assert script.place == page.place != elsewhere.place
    assert script.name == elsewhere.name != page.name
    ann, bob = (asked_by("192.168.0.2", path, "script", user=user) for user in ("ann", "bob"))
    assert len({script.name, page.name, ann.name, bob.name}) == 4
    assert asked_by("192.168.0.2", path, "page", user="bob", safety_identifier="ann") == ann


def test_what_is_known_of_a_client_cannot_be_read() -> None:
    client = asked_by("192.168.0.2", user="ann@example.com")
    assert all(len(text) == 64 and set(text) <= set("0123456789abcdef") for text in (client.place, client.name))


@pytest.mark.parametrize("user", [7, "", None, ["ann"], {"name": "ann"}])
def test_a_name_that_is_no_text_is_none(user: object) -> None:
    assert asked_by("192.168.0.2", user=user) == asked_by("192.168.0.2")


def test_all_addresses_of_a_machine_are_one_place() -> None:
    assert asked_by("2001:db8::1").place == asked_by("2001:db8::ffff:2:3").place != asked_by("2001:db8:0:1::1").place
    assert asked_by("::ffff:192.168.0.2").place == asked_by("192.168.0.2").place
    assert asked_by("").place != asked_by("192.168.0.2").place
