"""Stock: who gets a unit at this instant. Redis decides in one script; this room only asks and listens.

Every other room learns of stock through `Stock` (the scripts, typed) and `StockDesk` (one sale in one worker).
"""
