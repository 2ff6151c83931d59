"""Preference training that runs every distinct prefix of a batch once (Wang & Hegde, 2024).

`tree.py` plans a batch (pure), `attention.py` attends along the tree, `forward.py` puts both under the fused LM head of
TRL 1.16, so that TRL's own loss and metrics run unchanged, `eligibility.py` says which models cannot be trained so, and
`trainers.py` has TRL's trainers with all of it. `orpo.py` is the loss that TRL may drop.
"""
