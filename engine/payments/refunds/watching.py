"""How many refunds wait, for whoever watches the shop."""

from engine import telemetry
from engine.payments.refunds.queue import RefundQueue
from engine.payments.refunds.reporting import Stage

OPEN = (Stage.INTENDED, Stage.PROCESSING, Stage.ABNORMAL)


class RefundWatch:
    """Shows how many refunds wait, so that an account taken out of the settings is noticed as well."""

    def __init__(self, queue: RefundQueue) -> None:
        self._queue = queue

    async def run_once(self) -> bool:
        """Set the gauges. Raises PostgresAway."""
        found = await self._queue.count_open()
        for stage in OPEN:
            count, oldest_s = found.get(stage, (0, 0.0))
            telemetry.REFUNDS_OPEN.labels(stage).set(count)
            telemetry.REFUNDS_OLDEST_S.labels(stage).set(oldest_s)
        return False
