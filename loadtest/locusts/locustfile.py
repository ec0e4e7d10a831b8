"""What Locust is given: `locust -f loadtest/locusts/locustfile.py`, from the project's folder.

Everything is in the modules beside it; see `loadtest.locusts` for how to run it.
"""

from locust import events

from loadtest.locusts.listening import listen
from loadtest.locusts.shapes import (
    ArrivalsShape,
    DropShape,
    RampShape,
    SoakShape,
    SpikeShape,
    StepsShape,
    StoryShape,
)
from loadtest.locusts.users import ArrivalsUser, BotUser, BuyerUser, MemberUser, OrganizerUser

__all__ = [
    "ArrivalsShape",
    "ArrivalsUser",
    "BotUser",
    "BuyerUser",
    "DropShape",
    "MemberUser",
    "OrganizerUser",
    "RampShape",
    "SoakShape",
    "SpikeShape",
    "StepsShape",
    "StoryShape",
]

listen(events)
