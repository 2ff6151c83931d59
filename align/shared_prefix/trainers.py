"""TRL's DPO, KTO and SFT trainers, running every distinct prefix of a batch once. Signature, loss, metrics are TRL's.

Import it inside functions: TRL takes seconds to load.
"""

from __future__ import annotations

from trl import DPOTrainer, KTOTrainer, SFTTrainer

from align.shared_prefix.sharing import SharedPrefix


class SharedPrefixDPOTrainer(SharedPrefix, DPOTrainer):  # type: ignore[misc]
    """TRL's `DPOTrainer`, all of its losses, over shared prefixes."""


class SharedPrefixKTOTrainer(SharedPrefix, KTOTrainer):  # type: ignore[misc]
    """TRL's `KTOTrainer` over shared prefixes, of its reference and KL passes too."""


class SharedPrefixSFTTrainer(SharedPrefix, SFTTrainer):  # type: ignore[misc]
    """TRL's `SFTTrainer` without padding, and with the LM head where something is learnt."""
