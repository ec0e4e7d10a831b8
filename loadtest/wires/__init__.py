"""How a phone reaches a server: one patience, two engines (asyncio's loop and gevent's greenlets).

port       what a phone needs; repeating, and when patience ends
loop       on asyncio: the lab, the demo, the storm
greenlets  on gevent: inside Locust
wording    HTTP/1.1 as far as phones need it; pure
network    a mobile network between the two
"""
