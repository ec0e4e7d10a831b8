"""The calls that serve a merchant's own security: platform certificates, and the echo that tests its keys.

A certificate crosses encrypted with the merchant's APIv3 key, which is why its first download, whose signature
nobody can check yet, may still be believed. Which certificates are listed is a knob, so that a rotation can be
played through. How the echo answers is documented nowhere we know of: it repeats what it understood.
"""

from collections.abc import Sequence

import orjson

from engine.simulator.keys import crypto
from engine.simulator.keys.sealed_fields import open_field
from engine.simulator.office.office import Office
from engine.simulator.pay import forms, shapes
from engine.simulator.pay.fields import Record, Text
from engine.simulator.pay.notices import Notice
from engine.simulator.pay.refusals import CERTIFICATES_NONE, SYSTEM_ERROR, Refusal, parameter
from engine.simulator.pay.shapes import rfc3339
from engine.simulator.processes.authorization import Merchant
from engine.simulator.processes.calls import Answer, Call, Outcome

_LISTED: dict[str, Sequence[str]] = {
    "a": ("a",),
    "b": ("b",),
    "both": ("a", "b"),
    "with_expired": ("expired", "a", "b"),
}
_ALGORITHMS = ("RSA", "ALL")
_ECHO = Record(
    {"notify_url": Text(256), "echo_message": Text(1024), "encrypted_echo_message": Text(2048)}, ("echo_message",)
)


def certificates(office: Office, merchant: Merchant, call: Call) -> Outcome:
    """GET /v3/certificates."""
    algorithm = call.query.get("algorithm_type", "RSA")
    if algorithm not in ("RSA", "SM2", "ALL"):
        return parameter("algorithm_type", algorithm, "must be one of RSA, SM2, ALL", location="query")
    listed = office.faults.certificates_listed
    if listed == "busy":
        return SYSTEM_ERROR
    if listed == "none" or algorithm not in _ALGORITHMS:
        return CERTIFICATES_NONE
    rows: list[dict[str, object]] = []
    for name in _LISTED[listed]:
        certificate = office.keyring.certificates[name]
        nonce = office.entropy(6).hex()
        rows.append(
            {
                "serial_no": certificate.serial,
                "effective_time": rfc3339(certificate.effective_ms),
                "expire_time": rfc3339(certificate.expires_ms),
                "encrypt_certificate": {
                    "algorithm": "AEAD_AES_256_GCM",
                    "nonce": nonce,
                    "associated_data": "certificate",
                    "ciphertext": crypto.encrypt_resource(
                        merchant.cipher, nonce=nonce, associated="certificate", plaintext=certificate.pem
                    ),
                },
            }
        )
    return Answer(200, orjson.dumps({"data": rows}))


def echo(office: Office, merchant: Merchant, call: Call) -> Outcome:
    """POST /v3/security/echo: 200 with the messages as they were understood, and a callback if one is asked for."""
    document = forms.read(call.body, _ECHO)
    if isinstance(document, Refusal):
        return document
    told = {"echo_message": document["echo_message"]}
    if "encrypted_echo_message" in document:
        opened = open_field(
            office.keyring.field_keys(merchant),
            serial=call.serial,
            path="/encrypted_echo_message",
            text=document["encrypted_echo_message"],
        )
        if isinstance(opened, Refusal):
            return opened
        told["encrypted_echo_message"] = opened
    if "notify_url" in document:
        fault = forms.notify_fault(document["notify_url"], http_anywhere=office.rules.http_anywhere)
        if fault is not None:
            return fault
        now_ms = office.now_ms()
        notice = Notice(
            id=shapes.notice_id(office.entropy(16)),
            mchid=merchant.mchid,
            event_type="SECURITY_ECHO.SUCCESS",
            original_type="security",
            summary="安全回显",
            subject=call.nonce,
            notify_url=document["notify_url"],
            created_ms=now_ms,
            resource=orjson.dumps({"mchid": merchant.mchid, **told}).decode(),
        )
        office.ledger.record(notice=notice)
        office.notify(notice)
    return Answer(200, orjson.dumps(told))
