"""Runs that look for something: the load at which a promise breaks, what becomes of many times the capacity, a leak.

driving      which profiles are played, in which order, and when to stop
breaking     the breakpoint of a rising load; pure, as all that follow
overloading  the phases of an overload, and what each of them got
soaking      whether anything grows in a long run
stretches    a part of a run, cut out of its record
saturation   offered against goodput, as points
fitting      which arrivals a search can work with
soak         the command of `make soak`
"""
