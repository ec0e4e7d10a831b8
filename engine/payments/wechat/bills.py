"""Fetching bills from WeChat Pay: a signed answer names the file and its hash, a second request brings it.

The file itself is not signed, so nothing of it is believed before its hash is right. An address is good for a few
minutes only: one that has expired, or a file that does not fit its hash, is asked for afresh, a few times.
"""

import asyncio
import urllib.parse
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

import structlog

from engine.infra.outage import ProviderAway
from engine.infra.reading import Unreadable, read_object, text
from engine.payments.bills.days import day_of
from engine.payments.bills.files import check_hash, discard, keep
from engine.payments.bills.format import BillUnreadable
from engine.payments.bills.source import Absence, BillRefused, BillType
from engine.payments.wechat.answers import Answer, Silence, is_refusal
from engine.payments.wechat.gateway import Gateway

log = structlog.get_logger(__name__)

TRIES_MAX = 3
FILE_BYTES_MAX = 64 << 20  # a million rows, compressed
URL_CHARS_MAX = 2048
DOWNLOAD_PATH = "/v3/billdownload/"

PATHS = {
    BillType.TRADE: "/v3/bill/tradebill?bill_date={day}&bill_type=ALL&tar_type=GZIP",
    BillType.FUND_FLOW: "/v3/bill/fundflowbill?bill_date={day}&account_type=BASIC&tar_type=GZIP",
}
ABSENCES = {"NOSTATEMENTEXIST": Absence.NO_ROWS, "STATEMENTCREATING": Absence.NOT_READY}


@dataclass(frozen=True, slots=True)
class _Announced:
    """Where a bill is, and the SHA1 it must have."""

    path: str
    sha1: str


class WechatBills:
    """A BillSource. `gateway_of` finds the signed conversation of a merchant, `now_s` is the time of day."""

    def __init__(
        self, gateway_of: Callable[[str], Gateway], directory: Path, *, hash_over: str, now_s: Callable[[], float]
    ) -> None:
        self._gateway_of = gateway_of
        self._directory = directory
        self._hash_over = hash_over
        self._now_s = now_s

    async def fetch(self, mchid: str, bill: BillType, day: date) -> Path | Absence | BillRefused:
        """Raises ProviderAway, BillUnreadable, and OSError when the file cannot be written."""
        gateway = self._gateway_of(mchid)
        for number in range(1, TRIES_MAX + 1):
            announced = await self._announced(gateway, bill, day)
            if not isinstance(announced, _Announced):
                return announced
            content = await gateway.download(announced.path, bytes_max=FILE_BYTES_MAX)
            if content is Silence.TOO_LARGE:
                raise BillUnreadable(f"the file is larger than {FILE_BYTES_MAX} bytes")
            last = number == TRIES_MAX
            if not isinstance(content, bytes):
                reason = content if isinstance(content, Silence) else content.detail
                if last:
                    raise ProviderAway(f"the bill of {day} could not be downloaded: {reason}")
                log.warning("bill_asked_for_again", day=str(day), reason=str(reason))
                continue
            try:
                return await asyncio.to_thread(self._kept, mchid, bill, day, content, announced.sha1)
            except BillUnreadable as error:
                if last:
                    raise
                log.warning("bill_asked_for_again", day=str(day), reason=str(error))
        raise AssertionError("the last try returns or raises")

    def _kept(self, mchid: str, bill: BillType, day: date, content: bytes, sha1: str) -> Path:
        path = keep(self._directory, f"{day}-{mchid}-{bill}", content)
        try:
            check_hash(path, sha1=sha1, over=self._hash_over)
        except BaseException:
            discard(path)
            raise
        return path

    async def _announced(self, gateway: Gateway, bill: BillType, day: date) -> _Announced | Absence | BillRefused:
        answer = (await gateway.repeat("GET", PATHS[bill].format(day=day))).answer
        if isinstance(answer, Silence):
            raise ProviderAway(f"WeChat Pay did not answer about the bill of {day}: {answer}")
        if answer.status == 200:
            return _read(answer)
        if not is_refusal(answer):
            raise ProviderAway(f"WeChat Pay did not give the bill of {day}: {answer.detail}")
        absence = ABSENCES.get(answer.code)
        if absence is not None:
            return absence
        if answer.code == "INVALIDREQUEST" and day >= self._today():
            return Absence.NOT_READY  # it will be a bill tomorrow
        return BillRefused(answer.code, answer.detail)

    def _today(self) -> date:
        return day_of(datetime.fromtimestamp(self._now_s(), UTC))


def _read(answer: Answer) -> _Announced:
    try:
        fields = read_object(answer.body)
        if text(fields, "hash_type") != "SHA1":
            raise BillUnreadable("the file comes with a hash that is not SHA1")
        # Only the path is taken: the request goes to the gateway of the settings, whatever host is named.
        url = fields.get("download_url")
        if type(url) is not str or len(url) > URL_CHARS_MAX:
            raise Unreadable("download_url")
        parts = urllib.parse.urlsplit(url)
        sha1 = text(fields, "hash_value")
    except (Unreadable, ValueError) as error:
        raise BillUnreadable(f"WeChat's answer about the bill cannot be read: {error}") from None
    if not parts.path.startswith(DOWNLOAD_PATH):
        raise BillUnreadable("the address of the bill is none of WeChat Pay's")
    return _Announced(parts.path + ("?" + parts.query if parts.query else ""), sha1)
