"""One access token for all processes: renewed by one of them, sealed at rest, forced within WeChat's bounds."""

from __future__ import annotations

import asyncio
import secrets
import traceback
from collections.abc import Callable
from datetime import date
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from engine.infra.outage import ProviderAway
from engine.miniprogram.access_token import AccessTokens
from engine.miniprogram.wire import Wire
from tests.miniprogram.conftest import Reply, Script

if TYPE_CHECKING:
    from engine.infra.postgres import Pool

SECRET = "made-for-tests"
PATH = "/cgi-bin/stable_token"
Open = Callable[..., AccessTokens]


def token(name: str, expires_s: int = 7200) -> Reply:
    return Reply(json={"access_token": name, "expires_in": expires_s})


@pytest.fixture
def open_tokens(pool: Pool, session: aiohttp.ClientSession, script: Script) -> Open:
    """Another process each time: nothing is shared but the database."""

    def open_one(**changed: Any) -> AccessTokens:
        wire = Wire(session=session, url=script.url, timeout_s=changed.pop("timeout_s", 2.0))
        settings: dict[str, Any] = {
            "appid": "wx1",
            "app_secret": SECRET,
            "nonce": lambda: secrets.token_bytes(12),
            "clock_s": asyncio.get_running_loop().time,
            "today": lambda: date(2026, 11, 22),
            "wait_s": 1.0,
        }
        return AccessTokens(pool, wire, **settings | changed)

    return open_one


async def age(pool: Pool, **changed: str) -> None:
    """Move the kept times into the past."""
    sets = ", ".join(f"{name} = {value}" for name, value in changed.items())
    await pool.execute(f"update access_tokens set {sets}")


async def test_all_processes_use_the_token_that_one_of_them_got(open_tokens: Open, script: Script) -> None:
    script.says(token("first"))
    assert [await open_tokens().current() for _ in range(3)] == ["first"] * 3


async def test_many_processes_at_once_ask_once(open_tokens: Open, script: Script) -> None:
    script.says(token("first"))
    found = await asyncio.gather(*(open_tokens().current() for _ in range(8)))
    assert (set(found), len(script.requests)) == ({"first"}, 1)


async def test_the_request_asks_for_the_stable_token_in_force(open_tokens: Open, script: Script) -> None:
    script.says(token("first"))
    await open_tokens().current()
    assert script.requests[0].json == {
        "grant_type": "client_credential",
        "appid": "wx1",
        "secret": SECRET,
        "force_refresh": False,
    }


async def test_a_token_is_renewed_before_its_end(open_tokens: Open, script: Script, pool: Pool) -> None:
    script.says(token("first"), token("second"))
    await open_tokens().current()
    await age(pool, renew_at="now()")
    assert await open_tokens().current() == "second"


async def test_the_old_token_serves_while_another_process_renews(open_tokens: Open, script: Script, pool: Pool) -> None:
    script.says(token("first"))
    await open_tokens().current()
    await age(pool, renew_at="now()", renewing_until="now() + interval '1 minute'")
    assert await open_tokens().current() == "first"


async def test_the_old_token_serves_when_renewing_fails(open_tokens: Open, script: Script, pool: Pool) -> None:
    script.says(token("first"), Reply(500))
    await open_tokens().current()
    await age(pool, renew_at="now()")
    assert await open_tokens().current() == "first"


async def test_a_process_that_died_while_renewing_is_replaced_when_its_lease_ends(
    open_tokens: Open, script: Script, pool: Pool
) -> None:
    script.says(token("first"), token("second"))
    await open_tokens().current()
    await age(pool, expires_at="now()", renew_at="now()", renewing_until="now() - interval '1 second'")
    assert await open_tokens().current() == "second"


async def test_who_has_no_token_and_no_lease_is_told_in_time(open_tokens: Open, script: Script, pool: Pool) -> None:
    script.says(token("first"))
    await open_tokens().current()
    await age(pool, expires_at="now()", renewing_until="now() + interval '1 minute'")
    with pytest.raises(ProviderAway, match="no other process"):
        await open_tokens(wait_s=0.1).current()


async def test_a_stale_token_is_replaced_by_what_another_process_got_meanwhile(
    open_tokens: Open, script: Script, pool: Pool
) -> None:
    script.says(token("first"), token("second"))
    late = open_tokens()
    await late.current()
    await age(pool, renew_at="now()")
    await open_tokens().current()
    assert await late.after("first") == "second"
    assert len(script.requests) == 2


async def test_a_stale_token_is_asked_for_again_before_anything_is_forced(open_tokens: Open, script: Script) -> None:
    script.says(token("first"), token("second"))
    tokens = open_tokens()
    await tokens.current()
    assert await tokens.after("first") == "second"
    assert [request.json["force_refresh"] for request in script.requests] == [False, False]


async def test_a_token_that_stays_stale_is_renewed_by_force(open_tokens: Open, script: Script) -> None:
    script.says(token("first"), token("first"), token("forced"))
    tokens = open_tokens()
    await tokens.current()
    assert await tokens.after("first") == "forced"
    assert [request.json["force_refresh"] for request in script.requests] == [False, False, True]


async def test_many_processes_with_a_stale_token_force_one_renewal(open_tokens: Open, script: Script) -> None:
    script.says(token("first"), token("first"), token("forced"))
    every = [open_tokens() for _ in range(6)]
    for tokens in every:
        await tokens.current()
    assert set(await asyncio.gather(*(tokens.after("first") for tokens in every))) == {"forced"}


async def test_two_forced_renewals_are_thirty_seconds_apart(open_tokens: Open, script: Script, pool: Pool) -> None:
    script.says(token("first"), token("first"), token("forced"), token("forced"), token("forced"), token("again"))
    tokens = open_tokens()
    await tokens.after(await tokens.current())
    with pytest.raises(ProviderAway, match="no further renewal"):
        await tokens.after("forced")
    await age(pool, forced_at="now() - interval '30 seconds'", renewing_until="null")
    assert await tokens.after("forced") == "again"


async def test_the_days_forced_renewals_are_counted_across_processes(
    open_tokens: Open, script: Script, pool: Pool
) -> None:
    script.says(token("first"), token("first"), token("forced"), token("forced"), token("forced"), token("tomorrows"))
    tokens = open_tokens(forced_a_day_max=1)
    await tokens.after(await tokens.current())
    await age(pool, forced_at="now() - interval '1 hour'")
    with pytest.raises(ProviderAway, match="no further renewal"):
        await open_tokens(forced_a_day_max=1).after("forced")
    await age(pool, renewing_until="null")
    assert await open_tokens(forced_a_day_max=1, today=lambda: date(2026, 11, 23)).after("forced") == "tomorrows"


async def test_a_token_kept_under_a_former_secret_is_replaced(open_tokens: Open, script: Script) -> None:
    script.says(token("first"), token("second"))
    await open_tokens().current()
    assert await open_tokens(app_secret="another").current() == "second"


@pytest.mark.parametrize(
    "reply",
    [
        Reply(drop=True),
        Reply(500),
        Reply(body=b"<html>"),
        Reply(json={"errcode": 40125, "errmsg": f"invalid appsecret {SECRET}"}),
        Reply(json={"access_token": "", "expires_in": 7200}),
        Reply(json={"access_token": "x", "expires_in": True}),
        Reply(json={"access_token": "x", "expires_in": 0}),
        Reply(json={"access_token": "x" * 3000, "expires_in": 7200}),
    ],
    ids=["lost", "500", "HTML", "our secret is wrong", "empty", "no number", "over already", "too long"],
)
async def test_no_token_is_an_outage_that_never_shows_the_secret(
    open_tokens: Open, script: Script, reply: Reply
) -> None:
    script.says(reply)
    with pytest.raises(ProviderAway) as outage:
        await open_tokens().current()
    assert SECRET not in "".join(traceback.format_exception(outage.value))


async def test_a_failed_renewal_lets_the_next_one_begin_soon(open_tokens: Open, script: Script, pool: Pool) -> None:
    script.says(Reply(500), token("first"))
    with pytest.raises(ProviderAway):
        await open_tokens().current()
    assert await pool.fetchval("select renewing_until < now() + interval '2 seconds' from access_tokens")
    await age(pool, renewing_until="now()")
    assert await open_tokens().current() == "first"


async def test_the_database_never_sees_the_token_itself(open_tokens: Open, script: Script, pool: Pool) -> None:
    script.says(token("first-token"))
    await open_tokens().current()
    assert b"first-token" not in await pool.fetchval("select token_sealed from access_tokens")
