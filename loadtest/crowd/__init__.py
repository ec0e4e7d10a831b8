"""Who comes and what they do: people, bots and organizers, written once for every engine that can carry them.

Who:
  population   behaviours, and one person's mind
  habits       drawing such a mind from dice
  bots/        those who do not keep the rules
  organizer    the person with the admin API
What they do:
  acting       one visitor's whole visit, whoever it is
  buyer        a person from login to the end of the order
  waiting      the way through the line
  tapping      the order button, and what one finger does on it
  paying       the held order: paid in time, late, never, or given back
What they do it with:
  protocol     the mini program's side of the HTTP API; `answers` reads what comes back
  line         the line document and one's own place
  cdn          how phones come by the document: through a CDN, or each from the engine
  scene        what everybody of one process shares before the first comes
What is remembered:
  journal      what happened, as the buyers saw it
  told         one order as its buyer was told of it
  testimony    the same in a form that travels between processes
  calls        when the document called whom
  fairness     whether the line was fair, measured from outside
"""
