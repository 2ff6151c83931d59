from pathlib import Path
import time, itertools
import pytest
from dataclasses import replace
from align.rounds import *
from align.evaluate import evaluate
from align.training import train
from annotate.comparing import compare_within
from sampling.sample import sample

pytestmark = pytest.mark.usefixtures("one_thread")


def test_x(toy):
    ws = toy

    def cfg(**al):
        c = toy.config
        return replace(
            toy,
            config=c.model_copy(
                update={
                    "align": c.align.model_copy(update=al),
                    "pairs": c.pairs.model_copy(update={"policy": "all"}),
                    "sample": c.sample.model_copy(update={"n": 4}),
                }
            ),
        )

    for al in [
        dict(epochs=5.0, learning_rate=1e-2),
        dict(epochs=10.0, learning_rate=1e-2, batch_size=8),
        dict(epochs=5.0, learning_rate=1e-2, method="orpo"),
        dict(epochs=5.0, learning_rate=1e-2, method="kto"),
        dict(epochs=5.0, learning_rate=3e-3, batch_size=8, beta=0.02),
    ]:
        w = cfg(**al)
        t = time.time()
        sft = sft_model(w)
        sample(w, sft, "train")
        compare_within(w, sft)
        m = train(w, sft, "x")
        t2 = time.time()
        print(al, evaluate(w, m, sft).overall, t2 - t, time.time() - t2)
    assert 0
