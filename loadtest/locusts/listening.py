"""How the players, the director and the web UI's tab hang on Locust's events: the only place that wires.

Locust's own listeners are there first, and at the end it calls them in reverse; so a round is closed, and its books
are in, before Locust takes its leave.
"""

from __future__ import annotations

import functools
import signal
from argparse import Namespace
from typing import TYPE_CHECKING, Any

import gevent
from locust import argument_parser
from locust.argument_parser import LocustArgumentParser
from locust.event import Events
from locust.runners import STATE_INIT, STATE_STOPPED, LocalRunner, MasterRunner, WorkerRunner

from loadtest.locusts import tab
from loadtest.locusts.director import Director
from loadtest.locusts.player import BEGUN, BOOKS, HOME, Player, keep_player
from loadtest.locusts.preflight import story_of
from loadtest.locusts.shapes import SHAPES, ArrivalsShape
from loadtest.locusts.users import ArrivalsUser, BotUser, BuyerUser, MemberUser, OrganizerUser
from loadtest.locusts.wishes import WishInvalid, add_arguments, card, wishes_in
from loadtest.profiles.loading import ProfileInvalid

if TYPE_CHECKING:
    from locust.env import Environment
    from locust.runners import Runner
    from locust.web import WebUI


def listen(events: Events) -> None:
    @events.init_command_line_parser.add_listener  # type: ignore[untyped-decorator]
    def add(parser: LocustArgumentParser) -> None:
        add_arguments(parser)

    @events.init.add_listener  # type: ignore[untyped-decorator]
    def set_up(environment: Environment, runner: Runner, web_ui: WebUI | None, **_: Any) -> None:
        _set_up(environment, events, web_ui)


def _set_up(environment: Environment, events: Events, web_ui: WebUI | None) -> None:
    runner, options = environment.runner, environment.parsed_options
    assert options is not None
    _choose(environment, options)
    director = Director(environment) if isinstance(runner, MasterRunner | LocalRunner) else None
    player: Player | None = None
    if isinstance(runner, WorkerRunner):
        player = Player(environment)
        _read_orders_cheaply()
        runner.register_message(HOME, player.go_home)
        events.report_to_master.add_listener(lambda client_id, data: player.report(data))  # type: ignore[no-untyped-call]
    elif director is not None and isinstance(runner, LocalRunner):
        player = Player(environment, deliver=director.deliver)
    if player is not None:
        keep_player(environment, player)
    if director is not None:
        _direct(director, environment, events, web_ui, local=player)

    def begin(environment: Environment, **_: Any) -> None:
        if director is not None:
            director.begin()
        if player is not None:
            player.begin()

    def end(environment: Environment, **_: Any) -> None:
        if player is not None:
            player.end()
        if director is not None:
            director.end()

    def leave(environment: Environment, **_: Any) -> None:
        if runner is None or runner.state in (STATE_INIT, STATE_STOPPED):
            return
        if isinstance(runner, MasterRunner):
            runner.stop(send_stop_to_client=False)
        else:
            runner.stop()

    for event, listener in ((events.test_start, begin), (events.test_stop, end), (events.quitting, leave)):
        event.add_listener(listener)  # type: ignore[no-untyped-call]


def _direct(
    director: Director, environment: Environment, events: Events, web_ui: WebUI | None, *, local: Player | None
) -> None:
    runner, options = environment.runner, environment.parsed_options
    assert options is not None
    if isinstance(runner, MasterRunner):
        runner.register_message(BEGUN, director.hear_begun)
        runner.register_message(BOOKS, director.hear_books)
        events.worker_report.add_listener(director.hear_report)  # type: ignore[no-untyped-call]
    if web_ui is not None:
        tab.add(web_ui, director, local=local)
    if options.headless or options.autostart:
        director.refuse_now()
    if options.headless and environment.shape_class is not None:
        _hear_the_end(runner)


def _read_orders_cheaply() -> None:
    """With every order of the master Locust builds its whole parser once for each of its options: more than a tenth
    of a second of CPU in which nobody on this worker moves, and a shape gives an order every second. The answer never
    changes."""
    argument_parser.default_args_dict = functools.cache(argument_parser.default_args_dict)


def _hear_the_end(runner: Runner | None) -> None:
    """Without a UI Locust is deaf to SIGTERM until a shape has ended; the books would be lost."""

    def end() -> None:
        if runner is not None and runner.shape_greenlet is not None:
            runner.quit()

    gevent.signal_handler(signal.SIGTERM, end)


def _weigh(options: Namespace) -> set[str]:
    """Give the users the weights of the story; the names of those who come in it."""
    try:
        story = story_of(wishes_in(options), seed=None)
    except (WishInvalid, ProfileInvalid):
        return {BuyerUser.__name__}
    bots = story.bots.share
    members = story.people.members * (1 - bots)
    shares = {BuyerUser: 1 - bots - members, MemberUser: members, BotUser: bots}
    for user, share in shares.items():
        user.weight = share or user.weight
    return {user.__name__ for user, share in shares.items() if share}


def _choose(environment: Environment, options: Namespace) -> None:
    """The target, the users and the shape, where the person did not choose by Locust's own means."""
    if not environment.host and (here := card().public_url):
        environment.host = options.host = here
    named = set(options.user_classes)
    is_open = options.arrivals == "open" or named == {ArrivalsUser.__name__}
    if is_open:
        offered = {ArrivalsUser.__name__, OrganizerUser.__name__}
        usual = {ArrivalsUser.__name__, *(named & offered)}
    else:
        offered = set(environment.available_user_classes or {}) - {ArrivalsUser.__name__}
        usual = named & offered or (_weigh(options) if not options.class_picker else offered)
    environment.available_user_classes = {
        name: user for name, user in (environment.available_user_classes or {}).items() if name in offered
    }
    environment.user_classes = [user for user in environment.user_classes if user.__name__ in usual]
    shapes = environment.available_shape_classes or {}
    # Locust would take the first shape of the file; without one, users are as many as the person says.
    wanted = ArrivalsShape if is_open else SHAPES.get(options.shape)
    shape = None if wanted is None else shapes[wanted.__name__]
    if is_open:
        environment.available_shape_classes = {ArrivalsShape.__name__: shapes[ArrivalsShape.__name__]}
    else:
        environment.available_shape_classes = {
            name: one for name, one in shapes.items() if name != ArrivalsShape.__name__
        }
    environment.shape_class = shape
    if shape is not None:
        shape.runner = environment.runner
        if is_open:
            shape.use_common_options = False  # type: ignore[misc]
