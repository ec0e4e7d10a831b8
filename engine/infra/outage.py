"""The one exception tree for things that are away.

A refusal ("sold out") is a value with a code. An outage is raised, so that a store that is down can never be
mistaken for an answer. The web room turns every outage into 503 with Retry-After.

    Outage
    ├── RedisAway       Redis did not answer, or refuses to write
    ├── PostgresAway    PostgreSQL did not answer, or refuses to write
    ├── ProviderAway    the payment provider did not answer
    └── Overloaded      this worker's own queue is full
"""


class Outage(Exception):
    """Something we depend on is away; the caller may try the same request again."""


class RedisAway(Outage):
    """Redis did not answer in time or refuses to write. The outcome of the call is unknown."""


class PostgresAway(Outage):
    """PostgreSQL did not answer in time or refuses to write. The outcome of the statement is unknown."""


class ProviderAway(Outage):
    """The payment provider or the login service did not answer. The outcome of the call is unknown."""


class Overloaded(Outage):
    """More work is waiting in this worker than it may hold; nothing was started."""
