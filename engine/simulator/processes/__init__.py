"""Who runs where: fronts that speak HTTP, callers that deliver callbacks, links between them and the office."""
