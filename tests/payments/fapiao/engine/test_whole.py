"""Fapiao through every process there is: the buyer's link, WeChat's callbacks, the operator's refund."""

from __future__ import annotations

from collections.abc import Callable

from engine.embedded.postgres import run_sql
from tests.payments.fapiao.engine.conftest import Counter, Seen


def newest_is(state: str) -> Callable[[Seen], bool]:
    return lambda fapiaos: bool(fapiaos) and fapiaos[0]["state"] == state


async def issued(counter: Counter) -> None:
    assert (await counter.ask("POST")).status == 200
    await counter.fill_in(await counter.transaction())
    await counter.until(newest_is("issued"))


async def test_a_buyers_title_becomes_a_fapiao_in_the_wallet(counter: Counter) -> None:
    link = await counter.ask("POST")
    assert link.status == 200, link
    assert link.json["path"].endswith(await counter.transaction())
    await counter.fill_in(await counter.transaction())
    await counter.until(lambda fapiaos: fapiaos[0]["card_status"] == "INSERTED")
    (fapiao,) = await counter.fapiaos()
    assert (fapiao["state"], fapiao["amount_fen"]) == ("issued", 200)
    assert fapiao["number"]


async def test_a_title_on_the_receipt_needs_no_link(counter: Counter) -> None:
    await counter.fill_in(await counter.transaction())
    await counter.until(newest_is("issued"))


async def test_a_full_refund_reverses_it(counter: Counter) -> None:
    await issued(counter)
    refunded = await counter.as_operator(
        "POST", f"/admin/v1/orders/{counter.order_no}/refunds", {"whole": True, "reason": "cancelled"}
    )
    assert refunded.status in (200, 201, 202), refunded
    await counter.until(lambda fapiaos: [one["state"] for one in fapiaos] == ["reversed"])


async def test_a_refund_in_part_reverses_it_and_what_was_kept_is_issued_with_the_buyers_title(counter: Counter) -> None:
    await issued(counter)
    refunded = await counter.as_operator(
        "POST", f"/admin/v1/orders/{counter.order_no}/refunds", {"amount_fen": 50, "reason": "a seat with a pillar"}
    )
    assert refunded.status in (200, 201, 202), refunded
    await counter.until(newest_is("asked"))
    link = await counter.ask("POST")
    assert link.status == 200, link
    await counter.fill_in((await counter.fapiaos())[0]["fapiao"])
    await counter.until(newest_is("issued"))
    assert [(one["state"], one["amount_fen"]) for one in await counter.fapiaos()] == [
        ("issued", 150),
        ("reversed", 200),
    ]


async def test_an_operator_sees_what_failed_and_lets_it_go_on(counter: Counter) -> None:
    faults = f"{counter.engine.simulator_url}/_admin/faults"
    await counter.crowd.ask("PUT", faults, body={"fapiao_issue_failed": 1.0})
    await counter.fill_in(await counter.transaction())
    await counter.until(newest_is("issue_failed"))
    listed = (await counter.as_operator("GET", "/admin/v1/fapiao")).json["fapiaos"]
    (failed,) = [one for one in listed if one["order_no"] == counter.order_no]
    assert failed["reason"] == "ISSUE_FAILED"
    await counter.crowd.ask("PUT", faults, body={"fapiao_issue_failed": 0.0})
    retried = await counter.as_operator("POST", f"/admin/v1/fapiao/{failed['fapiao']}/retry")
    assert retried.status == 202, retried
    await counter.until(newest_is("issued"))
    assert (await counter.as_operator("POST", f"/admin/v1/fapiao/{failed['fapiao']}/retry")).code == "FAPIAO_NOT_FAILED"


async def test_a_second_fapiao_is_refused_in_words(counter: Counter) -> None:
    await issued(counter)
    assert (await counter.ask("POST")).code == "FAPIAO_EXISTS"


async def test_an_erased_title_leaves_what_is_issued_and_says_so_to_nobody(counter: Counter) -> None:
    await issued(counter)
    erased = await counter.buyer.ask("DELETE", "/v1/buyers/me/fapiao-titles")
    assert (erased.status, erased.raw) == (204, b"")
    assert (await counter.fapiaos())[0]["state"] == "issued"
    assert (await counter.crowd.ask("DELETE", "/v1/buyers/me/fapiao-titles")).code == "LOGIN_REQUIRED"


async def test_somebody_elses_order_is_as_unknown_as_none(counter: Counter) -> None:
    stranger = counter.crowd.buyer()
    await stranger.login()
    for method in ("GET", "POST"):
        answer = await stranger.ask(method, f"/v1/orders/{counter.order_no}/fapiao")
        assert (answer.status, answer.code) == (404, "UNKNOWN_ORDER")


async def test_without_a_login_there_is_no_fapiao(counter: Counter) -> None:
    for method in ("GET", "POST"):
        answer = await counter.crowd.ask(method, f"/v1/orders/{counter.order_no}/fapiao")
        assert answer.code == "LOGIN_REQUIRED"


async def test_the_operators_list_is_for_operators(counter: Counter) -> None:
    answer = await counter.crowd.ask("GET", f"{counter.engine.admin_url}/admin/v1/fapiao")
    assert answer.code == "LOGIN_REQUIRED"


async def test_a_state_that_there_is_not_is_refused(counter: Counter) -> None:
    assert (await counter.as_operator("GET", "/admin/v1/fapiao?state=lost")).code == "UNKNOWN_STATE"


async def test_a_fapiao_that_there_is_not_cannot_be_retried(counter: Counter) -> None:
    assert (await counter.as_operator("POST", "/admin/v1/fapiao/none/retry")).code == "UNKNOWN_FAPIAO"


async def test_jobs_that_are_killed_again_and_again_lose_no_fapiao_and_send_none_twice(counter: Counter) -> None:
    jobs = counter.engine.jobs
    jobs.kill()
    await counter.fill_in(await counter.transaction())
    await counter.until(newest_is("applied"))
    seen = "applied"
    while seen != "issued":
        jobs.start()
        await counter.until(lambda fapiaos, seen=seen: fapiaos[0]["state"] != seen)  # type: ignore[misc]
        jobs.kill()
        seen = (await counter.fapiaos())[0]["state"]
        # A lease of the dead is waited for; here that time is over at once.
        run_sql(counter.engine.stores.postgres_url, "update fapiaos set next_check_at = now()")
    jobs.start()
    (application,) = await counter.applications()
    assert len(application["fapiao"]) == 1
