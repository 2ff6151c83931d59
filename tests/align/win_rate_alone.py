"""Settings by which the win rate alone decides on promotion."""

WIN_RATE_ALONE = """
[probes]
sets = []
most_questions = 10

[gate]
exam_accuracy = "off"
harm = "off"
over_refusal = "off"
forgetting = "off"
invalid = "off"
length = "off"
"""
