"""What WeChat does not answer decides nothing."""

from datetime import UTC, datetime

from engine.payments.ledger import NoticeRow
from engine.payments.port import RefundNotice, RefundRequest, RefundState
from engine.payments.refunds.queue import Lane
from tests.payments.settling.conftest import Desk

DIGEST = b"by-hand-notice--"


async def test_a_refund_told_before_its_payment_waits_for_as_long_as_wechat_gives_no_answer(desk: Desk) -> None:
    shop = desk.shop
    order = await shop.house.place("ann", floor=1)
    mchid = shop.simulator.names["mchid"]
    row = NoticeRow(
        digest=DIGEST, notice_id="n", event_type="REFUND.SUCCESS", mchid=mchid, subject="by-hand-1", body=b"sealed"
    )
    await shop.house.ledger.keep_notice(row)
    early = RefundNotice(
        notice_id="n",
        event_type="REFUND.SUCCESS",
        digest=DIGEST,
        out_refund_no="by-hand-1",
        refund_id="503",
        order_no=order.order_no,
        transaction_id="4200",
        mchid=mchid,
        state=RefundState.SUCCESS,
        refund_fen=10000,
        total_fen=10000,
        success_at=datetime.now(UTC),
    )
    assert not (await shop.refunder(Lane.SINGLE).noticed(early)).decided
    await shop.settle(order)
    made = await shop.provider.refund(
        RefundRequest(
            out_refund_no="by-hand-1",
            order_no=order.order_no,
            mchid=mchid,
            refund_fen=10000,
            total_fen=10000,
            reason="by hand",
        )
    )
    assert made.state in (RefundState.PROCESSING, RefundState.SUCCESS)
    await shop.luck(answer_routes=["query_refund"], answer_lost=1.0)
    await desk.inbox.run_once()
    assert await shop.house.sql("select outcome from notices where digest = $1", DIGEST) is None
    await shop.luck()
    await shop.house.sql("update notices set next_check_at = now() returning 1")
    await desk.inbox.run_once()
    assert await shop.state(order.order_no) == "refunded"
