"""Those who do not keep the rules. What a bot is refused is a refusal well made; what it gets and should not is a
complaint of the run. A bot gives up after a while, so that no share of bots keeps a run from ending.

Their requests are counted under names of their own (`bot_line`, `bot_order` ...), so that the times and the goodput of
people are those of people.

bot        one automated buyer, as it is drawn
robot      what every kind has in common when it acts, and those that play tricks
poller     looks at the line many times a second
forger     shows what it changed or invented; `forgeries` makes that
forwarder  uses what was given to others
hoarder    reserves with several accounts and never pays
"""

from loadtest.crowd.bots.bot import Bot

__all__ = ["Bot"]
