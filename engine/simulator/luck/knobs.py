"""Every knob by name: what it may be set to, and what it does, in words that the manual repeats.

A check answers None for a value that may be used, else what is wrong with it. The groups are the order of the
manual. `faults.py` holds the values; a knob that is in one place only does not start.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from engine.simulator.pay.buyer import Behaviour
from engine.simulator.pay.refusals import LIMITED, ORDER_PAID, REENTRY_CHANGED

DELAY_MOST_MS = 86_400_000
RATE_MOST = 1_000_000
# What answer_routes and limits_per_s may name: the names of routes.py.
ROUTES = (
    "order",
    "query",
    "close",
    "refund",
    "query_refund",
    "abnormal_refund",
    "bill",
    "bill_download",
    "certificates",
    "echo",
    "fapiao",
)
REFUND_ERRORS = "refund_errors"  # A budget of its own: refused refunds a second.

Check = Callable[[object], str | None]


@dataclass(frozen=True, slots=True)
class Knob:
    check: Check
    text: str


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def chance(value: object) -> str | None:
    right = isinstance(value, int | float) and _is_number(value) and 0 <= value <= 1
    return None if right else "must be a number from 0 to 1"


def whole(least: int, most: int) -> Check:
    def check(value: object) -> str | None:
        right = type(value) is int and least <= value <= most
        return None if right else f"must be an integer from {least} to {most}"

    return check


def span(value: object) -> str | None:
    right = (
        isinstance(value, list | tuple)
        and len(value) == 2
        and all(type(end) is int and 0 <= end <= DELAY_MOST_MS for end in value)
        and value[0] <= value[1]
    )
    return None if right else f"must be [least, most] in ms, 0 to {DELAY_MOST_MS}"


def scale(value: object) -> str | None:
    right = isinstance(value, int | float) and _is_number(value) and 0 <= value <= 1000
    return None if right else "must be a number from 0 to 1000"


def flag(value: object) -> str | None:
    return None if isinstance(value, bool) else "must be true or false"


def one_of(options: Collection[str]) -> Check:
    def check(value: object) -> str | None:
        right = isinstance(value, str) and value in options
        return None if right else f"must be one of {', '.join(options)}"

    return check


def some_of(options: Collection[str]) -> Check:
    def check(value: object) -> str | None:
        right = isinstance(value, list | tuple) and all(isinstance(one, str) and one in options for one in value)
        return None if right else f"must be a list of {', '.join(options)}"

    return check


def table(options: Collection[str], check_one: Check) -> Check:
    """An object whose names are among the options and whose values each pass the check."""

    def check(value: object) -> str | None:
        if not isinstance(value, Mapping):
            return f"must be an object with some of {', '.join(options)}"
        for name, one in value.items():
            if name not in options:
                return f"{name} is none of {', '.join(options)}"
            problem = check_one(one)
            if problem is not None:
                return f"{name} {problem}"
        return None

    return check


KEYS = ("public_key", "certificate_a", "certificate_b", "certificate_expired")
LISTED = ("a", "b", "both", "with_expired", "none", "busy")

KNOBS: Mapping[str, Knob] = {
    "seed": Knob(whole(0, 2**63 - 1), "what all luck is drawn from"),
    # Callbacks that are right, at odd moments
    "callback_delay_ms": Knob(span, "how long after the money moved a callback starts"),
    "callback_late": Knob(chance, "share that starts later by callback_late_ms"),
    "callback_late_ms": Knob(span, "how much later"),
    "callback_reorder": Knob(chance, "share held back until callback_reorder_count later ones were sent"),
    "callback_reorder_count": Knob(whole(1, 1000), "how many later callbacks overtake a held one"),
    "callback_reorder_most_ms": Knob(whole(1, DELAY_MOST_MS), "when a held one goes although nothing overtook it"),
    "callback_loss": Knob(chance, "share that is never sent at all"),
    "callback_duplicate": Knob(
        chance, "share that is sent twice, half of them at once, half after the first was acknowledged"
    ),
    "callback_aad_empty": Knob(chance, "share whose associated_data is empty, and encrypted so: right, and rare"),
    "callback_retry_scale": Knob(scale, "the real schedule of retries (15 s to 6 h) times this"),
    "callback_timeout_ms": Knob(whole(1, DELAY_MOST_MS), "how long a merchant may take to answer"),
    "callback_public_key": Knob(
        chance, "share of attempts signed by the public key, the rest by a certificate: the migration's grey scale"
    ),
    "callback_certificate_b": Knob(
        chance, "share signed by certificate B among those signed by a certificate: the rotation's grey scale"
    ),
    # Callbacks that are wrong; the right one follows on the schedule of retries
    "callback_signtest": Knob(chance, "share preceded by WeChat's probe, signed WECHATPAY/SIGNTEST/..."),
    "callback_bad_body": Knob(chance, "share preceded by one whose body was changed after signing"),
    "callback_bad_tag": Knob(chance, "share preceded by one that does not decrypt, rightly signed"),
    "callback_bad_aad": Knob(chance, "share preceded by one that names no associated_data but was encrypted with it"),
    "callback_bad_stale": Knob(chance, "share preceded by one signed more than 5 minutes ago"),
    "callback_bad_serial": Knob(chance, "share preceded by one whose Wechatpay-Serial nobody knows"),
    "callback_bad_expired": Knob(chance, "share preceded by one signed by the expired certificate"),
    "callback_bad_amount": Knob(chance, "share preceded by one over another amount, rightly signed"),
    "callback_bad_mchid": Knob(chance, "share preceded by one about another merchant, rightly signed"),
    "callback_bad_xml": Knob(chance, "share of refunds preceded by an unsigned XML notice of API v2"),
    "callback_bad_slow": Knob(chance, "share preceded by one whose body dribbles and never ends"),
    # Refunds
    "refund_delay_ms": Knob(span, "how long the bank takes"),
    "refund_abnormal": Knob(chance, "share that ends ABNORMAL"),
    "refund_closed": Knob(chance, "share that ends CLOSED"),
    "refund_not_enough": Knob(chance, "share of refund calls refused with NOT_ENOUGH, without effect"),
    "refund_spacing_ms": Knob(whole(0, DELAY_MOST_MS), "least time between two refunds of one order"),
    # Answers
    "answer_routes": Knob(some_of(ROUTES), "which calls the answer_* knobs strike; none named: all"),
    "answer_delay_ms": Knob(span, "how long a call waits before it has its effect"),
    "answer_reset": Knob(chance, "share whose connection is reset without any effect"),
    "answer_limited": Knob(chance, "share refused with 429 without any effect"),
    "answer_error_before": Knob(chance, "share answered 500 SYSTEM_ERROR without any effect"),
    "answer_unavailable": Knob(chance, "share answered 502 or 503, empty or in HTML, without any effect"),
    "answer_lost": Knob(chance, "share whose connection is reset after the effect"),
    "answer_truncated": Knob(chance, "share cut off in the middle of the body after the effect"),
    "answer_limited_after": Knob(chance, "share answered 429 after the effect"),
    "answer_error_after": Knob(chance, "share answered 500 SYSTEM_ERROR after the effect"),
    "answer_unavailable_after": Knob(chance, "share answered 502 or 503 after the effect"),
    "answer_unsigned": Knob(chance, "share whose signature headers are missing"),
    "answer_bad_signature": Knob(chance, "share whose signature is another's"),
    "answer_stale": Knob(chance, "share signed more than 5 minutes ago"),
    "answer_signtest": Knob(chance, "share with WeChat's probe as signature, WECHATPAY/SIGNTEST/..."),
    "limits_per_s": Knob(
        table((*ROUTES, REFUND_ERRORS), whole(0, RATE_MOST)),
        "calls a second of one merchant, by route; 0 or not named: no limit",
    ),
    # Keys
    "answers_signed_by": Knob(one_of(KEYS), "which key signs when a request has no Wechatpay-Serial"),
    "unknown_serial": Knob(
        one_of(("default_key", "refused")), "a Wechatpay-Serial nobody knows: as if it were missing, or 400"
    ),
    "certificates_listed": Knob(
        one_of(LISTED), "what GET /v3/certificates lists; none: 404, as for public-key merchants; busy: 500"
    ),
    "nonce_replay_refused": Knob(flag, "refuse a nonce_str that this merchant used within the last 10 minutes"),
    # Buyers
    "buyer_delay_ms": Knob(span, "how long buyers stand at the cashier before they act"),
    "buyer_behaviours": Knob(
        table(tuple(Behaviour), chance), "what buyers do whose call names no behaviour, as shares; the rest pays"
    ),
    # Bills
    "bill_today": Knob(flag, "bills of today, and of yesterday before 10:00, are there already"),
    "bill_hash_of": Knob(one_of(("plain", "gzip")), "whether the SHA1 is over the plain file or the gzip downloaded"),
    "bill_crlf": Knob(flag, "lines of a bill end in CR LF"),
    "bill_bom": Knob(flag, "a bill begins with a byte order mark"),
    "bill_fee_bp": Knob(whole(0, 1000), "WeChat's fee in 1/10,000 of a payment"),
    # Electronic invoices
    "fapiao_opened": Knob(flag, "whether the merchant has opened the product; if not, every call is 403 NO_AUTH"),
    "fapiao_delay_ms": Knob(span, "how long each step of a fapiao takes"),
    "fapiao_issue_failed": Knob(chance, "share of fapiao that cannot be issued"),
    "fapiao_reverse_failed": Knob(chance, "share of reversals that fail once"),
    # The mini program
    "weixin_busy": Knob(chance, "share of calls to api.weixin.qq.com answered -1, system error"),
    "weixin_delay_ms": Knob(span, "how long a call to api.weixin.qq.com waits before it has its effect"),
    "weixin_lost": Knob(chance, "share of them whose connection is reset after the effect"),
    "login_blocked": Knob(chance, "share of buyers whom jscode2session refuses as high-risk, 40226"),
    "token_quota_minute": Knob(whole(0, RATE_MOST), "stable_token calls in a minute"),
    "token_quota_day": Knob(whole(0, RATE_MOST), "stable_token calls in a day"),
    "token_force_quota_day": Knob(whole(0, RATE_MOST), "forced refreshes of the access token in a day"),
    "token_force_spacing_ms": Knob(whole(0, DELAY_MOST_MS), "least time between two forced refreshes"),
    "token_force_overlap_ms": Knob(whole(0, DELAY_MOST_MS), "how long a forced refresh leaves the old token alive"),
    "wxacode_quota_minute": Knob(whole(0, RATE_MOST), "mini-program codes in a minute"),
    # Where public sources disagree
    "business_refusals_signed": Knob(flag, "whether refusals other than of authorization are signed"),
    "callback_same_id": Knob(flag, "whether all attempts of one callback carry the same id"),
    "reentry_prepay": Knob(
        one_of(("same", "fresh", "fresh_beside")),
        "what an order entered again gets: its living prepay_id, a fresh one in its place, or one beside it",
    ),
    "expiry_most_days": Knob(whole(1, 90), "a later time_expire is clipped to this"),
    "close_least_age_ms": Knob(whole(0, DELAY_MOST_MS), "closing a younger unpaid order fails with 500"),
    "changed_code": Knob(one_of(REENTRY_CHANGED), "the code of an order number used again with other parameters"),
    "paid_code": Knob(one_of(ORDER_PAID), "the code of closing or ordering what is paid"),
    "limited_code": Knob(one_of(LIMITED), "the code of 429"),
}
