"""One whole concert drop on this machine, for somebody who looks at it for the first time.

__main__  the command, the report, the exit status
drop      the drop itself: lobby, draw, rush, and what is told meanwhile
crowd     its people
screen    what a person sees of it

It was there before the lab and draws its own screen; people, wire, books and verdict are the lab's.
"""
