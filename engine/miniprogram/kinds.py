"""Which duties the settings ask for: what other rooms write down when money moves. Nothing, unless named there."""

from engine.config import MessageKind, Miniprogram

SHIPPING = "shipping"


def duty_of(kind: MessageKind) -> str:
    """The duty to tell a buyer this."""
    return f"tell_{kind.value}"


def paid_duty_kinds(config: Miniprogram) -> tuple[str, ...]:
    """What is owed for every order that money was paid for."""
    return ((SHIPPING,) if config.shipping else ()) + free_duty_kinds(config)


def free_duty_kinds(config: Miniprogram) -> tuple[str, ...]:
    """What is owed for every order that costs nothing: there is no money that WeChat could hold back."""
    return _told(config, MessageKind.PAID)


def refund_duty_kinds(config: Miniprogram) -> tuple[str, ...]:
    """What is owed for every refund that succeeds."""
    return _told(config, MessageKind.REFUNDED)


def _told(config: Miniprogram, kind: MessageKind) -> tuple[str, ...]:
    return (duty_of(kind),) if kind in config.templates else ()
