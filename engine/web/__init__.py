"""The HTTP kit: server, routes, problems, buyer login, limits and drain. It knows nothing of tickets."""
