"""`floodgate refund`: decide, list, lead failed refunds out; exit codes and sentences."""

import asyncio
from pathlib import Path

import asyncpg
import pytest

from engine.config import Wechat
from tests.cli.conftest import Run
from tests.payments.refunds.wechat import running_simulator
from tests.support.house import CATALOG

ORDER = "0" * 31 + "1"
PAID = f"""
insert into orders (order_no, sale_id, buyer, request_id, body_digest, state, amount_fen, deadline)
values ('{ORDER}', 'spring', '\\x00', '\\x00', '\\x00', 'paid', 20000, now());
insert into order_items values ('{ORDER}', 'spring', 'floor', 2, 10000);
update skus set allocated = 2 where sku_id = 'floor';
insert into payments values ('4200', '{ORDER}', 'spring', '1900000001', 20000, now(), 'query');
"""


@pytest.fixture
def paid_url(database_url: str) -> str:
    """A ledger in which two tickets are paid."""
    execute(database_url, CATALOG + PAID)
    return database_url


def execute(url: str, sql: str) -> None:
    async def run() -> None:
        conn = await asyncpg.connect(url)
        try:
            await conn.execute(sql)
        finally:
            await conn.close()

    asyncio.run(run())


def test_a_refund_is_decided_once_under_its_key_and_listed(run: Run, paid_url: str) -> None:
    words = ("refund", "order", ORDER, "--item", "floor=1", "--fen", "8000", "--reason", "Ill", "--key", "desk-0001")
    first, again = (run(*words, postgres_url=paid_url) for _ in range(2))
    assert (first.code, again.code) == (0, 0), first.err
    assert first.out.startswith(f"Decided: ¥80.00, as R{ORDER}-1.")
    assert "before, under the same key" in again.out
    listed = run("refund", "list", ORDER, postgres_url=paid_url).out.splitlines()
    assert len(listed) == 2
    assert listed[1].split()[:5] == [f"R{ORDER}-1", "intended", "organizer", "¥80.00", "floor=1"]


def test_what_is_refused_is_said_in_a_sentence_with_exit_code_1(run: Run, paid_url: str) -> None:
    ended = run("refund", "order", ORDER, "--fen", "20001", "--reason", "Ill", postgres_url=paid_url)
    assert ended.code == 1
    assert ended.out == "Refused, TOO_MUCH: This is more than is left of the order.\n"


@pytest.mark.parametrize(
    "words",
    [("--whole", "--fen", "1", "--reason", "Ill"), ("--item", "floor", "--reason", "Ill")],
)
def test_a_wish_that_says_nothing_or_two_things_is_a_mistake(run: Run, words: tuple[str, ...]) -> None:
    assert run("refund", "order", ORDER, *words).code == 2


def test_a_closed_refund_is_tried_again_or_settled(run: Run, paid_url: str, tmp_path: Path) -> None:
    run("refund", "order", ORDER, "--whole", "--reason", "Ill", postgres_url=paid_url)
    refused = run("refund", "settled", f"R{ORDER}-1", postgres_url=paid_url)
    assert refused.code == 1
    execute(paid_url, "update refunds set state = 'closed'; update orders set state = 'refund_failed'")
    unanswered = run("refund", "retry", f"R{ORDER}-1", postgres_url=paid_url)
    assert unanswered.code not in (0, 1)  # WeChat could still say that the old number moved the money
    with running_simulator(tmp_path) as wechat:
        execute(paid_url, f"update refunds set mchid = '{wechat.names['mchid']}'")
        names = {f"wechat_{name}": str(text) for name, text in wechat.names.items() if name in Wechat.model_fields}
        retried = run(
            "refund", "retry", f"R{ORDER}-1", **{**names, "wechat_gateway_url": wechat.url}, postgres_url=paid_url
        )
    assert (retried.code, f"R{ORDER}-2" in retried.out) == (0, True), retried
