"""The draw over HTTP and the command that checks it: a real listener, real stores, the command as a process."""

import asyncio
import copy
import json
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import jsonschema_rs
import pytest

import engine.web
from engine.infra.seals import SealKeys
from engine.line.draw.handlers import PLACE_HEADER, DrawRoutes
from engine.line.draw.merkle import CHUNK
from engine.line.draw.verifying import Verdict, verify_draw
from engine.line.place import Cohort, Place, seal_place
from engine.web.buyers import Buyers, Privacy
from engine.web.listening import listen
from engine.web.routes import RouteTable
from engine.web.server import Limits, Listener
from tests.line.draw.conftest import Lobby

NOW_S = 1_800_000_000
KEYS = SealKeys({1: b"a key of this test alone"}, 1)
FANS = CHUNK + 9
LIMITS = Limits(
    body_bytes_max=1000, head_timeout_s=5, body_timeout_s=5, request_timeout_s=20, concurrent_requests_max=50
)
DESCRIPTION: dict[str, Any] = json.loads(Path(engine.web.__file__).with_name("openapi.json").read_bytes())


def as_described(name: str) -> jsonschema_rs.Validator:
    """Checks a document against its schema in the description, which names every property."""
    components = copy.deepcopy(DESCRIPTION["components"])
    components["schemas"][name]["additionalProperties"] = False
    return jsonschema_rs.validator_for({"$ref": f"#/components/schemas/{name}", "components": components})


@dataclass(slots=True)
class Front:
    """The draw's addresses, served."""

    lobby: Lobby
    session: aiohttp.ClientSession
    buyers: Buyers
    url: str

    @property
    def draw_url(self) -> str:
        return f"{self.url}/v1/sales/spring/draw"

    async def get(self, path: str, **headers: str) -> tuple[int, Any]:
        async with self.session.get(self.draw_url + path, headers=headers) as answer:
            found = await (answer.json() if "json" in answer.content_type else answer.read())
            return answer.status, found

    async def refusal(self, path: str, **headers: str) -> tuple[int, str]:
        status, problem = await self.get(path, **headers)
        return status, problem["code"]

    async def buyer_at(self, index: int, lane: int = 0) -> bytes:
        found = await self.lobby.house.sql(
            "select buyer from lobby_entries where lane = $1 and index = $2", lane, index
        )
        assert isinstance(found, bytes)
        return found

    def headers_of(self, buyer: bytes, index: int, cohort: Cohort = Cohort.LOBBY) -> dict[str, str]:
        place = Place(buyer, "spring", 0, cohort, 1, index)
        return {
            "Authorization": f"Bearer {self.buyers.seal(buyer, expires_s=NOW_S + 60)}",
            PLACE_HEADER: seal_place(KEYS, place, expires_s=NOW_S + 60),
        }

    async def close_the_lobby(self) -> None:
        await self.lobby.open_until("now() - interval '1 second'")
        await self.lobby.sealer.run_once()


@pytest.fixture
async def front(lobby: Lobby, session: aiohttp.ClientSession) -> AsyncIterator[Front]:
    """More than a chunk of fans and three others in an open lobby."""
    await lobby.gather(FANS)
    await lobby.gather(3, lane=1)
    buyers = Buyers(lobby.house.pool, KEYS, Privacy(b"digest key", bytes(32)))
    routes = DrawRoutes(lobby.house.board, lobby.draws, buyers, KEYS, now_s=lambda: NOW_S).routes()
    socket = listen("127.0.0.1", 0, shared=False)
    listener = Listener(RouteTable(routes), LIMITS, socket)
    await listener.start()
    yield Front(lobby, session, buyers, f"http://127.0.0.1:{socket.getsockname()[1]}")
    await listener.drain(notice_s=0, timeout_s=0)


@pytest.fixture
async def drawn_front(front: Front) -> Front:
    await front.close_the_lobby()
    return front


async def test_before_the_seal_the_rules_are_there_and_nothing_else(front: Front) -> None:
    status, draw = await front.get("")
    assert (status, draw["state"], draw["strength"]) == (200, "open", "secret")
    assert [lane["id"] for lane in draw["rules"]["lanes"]] == ["fans", "public"]
    assert len(draw["rules"]["commitment"]) == 64
    assert [draw[name] for name in ("sealed_ms", "lanes", "secret", "beacon", "randomness")] == [
        None,
        [],
        None,
        None,
        None,
    ]


async def test_rules_do_not_change_with_the_draw(front: Front) -> None:
    before = (await front.get(""))[1]["rules"]
    await front.close_the_lobby()
    after = (await front.get(""))[1]["rules"]
    assert after == {**before, "lobby_closes_ms": after["lobby_closes_ms"]}  # the closing was moved here, by hand


async def test_everything_served_verifies(drawn_front: Front) -> None:
    draw = (await drawn_front.get(""))[1]
    entries = {0: b"", 1: (await drawn_front.get("/public/entries/0"))[1]}
    for chunk in range(2):
        entries[0] += (await drawn_front.get(f"/fans/entries/{chunk}"))[1]
    tags = {lane: [blob[at : at + 16] for at in range(0, len(blob), 16)] for lane, blob in entries.items()}
    for index in (0, 1234, CHUNK, FANS - 1):
        headers = drawn_front.headers_of(await drawn_front.buyer_at(index), index)
        status, proof = await drawn_front.get("/proof", **headers)
        assert status == 200
        checks = verify_draw(draw, entries=tags, proof=proof, place=headers[PLACE_HEADER], before=draw)
        assert {check.name for check in checks if check.verdict is not Verdict.HOLDS} == {"beacon"}


async def test_documents_are_as_described(front: Front) -> None:
    headers = front.headers_of(await front.buyer_at(3), 3)
    as_described("Draw").validate((await front.get(""))[1])
    await front.close_the_lobby()
    as_described("Draw").validate((await front.get(""))[1])
    as_described("DrawProof").validate((await front.get("/proof", **headers))[1])


async def test_a_known_document_is_not_sent_again(drawn_front: Front) -> None:
    for path in ("", "/fans/entries/1"):
        async with drawn_front.session.get(drawn_front.draw_url + path) as answer:
            etag = answer.headers["ETag"]
            assert answer.headers["Access-Control-Allow-Origin"] == "*"
        assert (await drawn_front.get(path, **{"If-None-Match": etag}))[0] == 304


async def test_entries_and_proofs_wait_for_the_draw(front: Front) -> None:
    headers = front.headers_of(await front.buyer_at(7), 7)
    assert await front.refusal("/fans/entries/0") == (409, "NOT_DRAWN")
    assert await front.refusal("/proof", **headers) == (409, "NOT_DRAWN")


async def test_entries_that_are_not_there_are_not_found(drawn_front: Front) -> None:
    for path in ("/fans/entries/2", "/fans/entries/-1", "/fans/entries/x", "/nobody/entries/0"):
        assert await drawn_front.refusal(path) == (404, "UNKNOWN_ENTRIES"), path


async def test_a_proof_is_for_its_own_buyer_in_the_lobby_only(drawn_front: Front) -> None:
    mine, other = await drawn_front.buyer_at(7), await drawn_front.buyer_at(8)
    own = drawn_front.headers_of(mine, 7)
    assert await drawn_front.refusal("/proof") == (401, "LOGIN_REQUIRED")
    stolen = {**own, "Authorization": drawn_front.headers_of(other, 8)["Authorization"]}
    assert await drawn_front.refusal("/proof", **stolen) == (403, "PLACE_INVALID")
    live = drawn_front.headers_of(mine, 7, Cohort.LIVE)
    assert await drawn_front.refusal("/proof", **live) == (409, "NOT_IN_DRAW")


async def test_the_page_may_run_its_own_script_only(front: Front) -> None:
    async with front.session.get(f"{front.url}/verify-draw") as answer:
        assert answer.content_type == "text/html"
        assert "script-src 'sha256-" in answer.headers["Content-Security-Policy"]
        assert "<script>" in await answer.text()


async def command(*arguments: str | Path) -> tuple[int, str]:
    """Exit code and output of `floodgate verify-draw`, far from any settings."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "engine.cli", "verify-draw", *map(str, arguments),
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    said, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, said.decode()


async def test_the_command_checks_an_address_and_later_what_it_saved(drawn_front: Front, tmp_path: Path) -> None:
    saved = tmp_path / "draw"
    code, said = await command(f"{drawn_front.url}/v1/sales/spring", "--save", saved)
    assert code == 0, said
    assert sorted(file.name for file in saved.iterdir()) == [
        "draw.json", "entries-fans-0.bin", "entries-fans-1.bin", "entries-public-0.bin"
    ]  # fmt: skip
    code, said = await command(saved)
    assert code == 0, said
    assert f"the root is that of all {FANS:,} entries" in said
    entry = saved / "entries-public-0.bin"
    entry.write_bytes(bytes(16) + entry.read_bytes()[16:])
    code, said = await command(saved)
    assert code == 1
    assert "the 3 entries do NOT give the root" in said


async def test_the_command_says_what_it_cannot_check(tmp_path: Path) -> None:
    (tmp_path / "draw.json").write_text("{}")
    code, said = await command(tmp_path)
    assert code == 2
    assert "this is no draw document" in said


async def test_before_the_draw_the_command_keeps_the_rules_and_accuses_nobody(front: Front, tmp_path: Path) -> None:
    code, said = await command(f"{front.url}/v1/sales/spring", "--save", tmp_path)

    assert (code, (tmp_path / "draw.json").exists()) == (2, True)
    assert said.splitlines()[-1].startswith("There is no draw to check yet.")
    assert "NOT what its rules say" not in said
