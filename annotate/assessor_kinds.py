"""What those who compare are called in the ledger. Imports nothing, so that whoever counts them can afford it."""

from __future__ import annotations

# An assessor's name begins so; and with a person's, the name of the model of an answer that they corrected.
JUDGE, METRIC = MACHINES = ("judge:", "metric:")
SURGEON, SIMULATED = PEOPLE = ("surgeon:", "simulated:")  # simulated ones stand for surgeons in tests
SURGEONS = "surgeons"  # all of them, where nobody is to be named
