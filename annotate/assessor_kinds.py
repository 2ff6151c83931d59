"""What the people who compare are called in the ledger. Imports nothing, so that whoever counts them can afford it."""

from __future__ import annotations

# An assessor's name begins so, and the name of a corrected answer's model; simulated ones stand for surgeons in tests.
SURGEON, SIMULATED = PEOPLE = ("surgeon:", "simulated:")
SURGEONS = "surgeons"  # all of them, where nobody is to be named
