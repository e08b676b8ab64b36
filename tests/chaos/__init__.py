"""Faults at random against a server under load, and an account of every write that it was told of."""
