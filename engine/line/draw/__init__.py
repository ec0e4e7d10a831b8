"""The opening draw: who gathered in the lobby is put in an order that nobody could choose and everybody can check.

docs/draw.md lays down every byte, so that a verifier can be written without reading this code.
"""
