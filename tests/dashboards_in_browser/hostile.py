"""Records that would like to run scripts, fetch pictures and lead readers away, were they anything but text."""

from __future__ import annotations

from pathlib import Path

from ledger.records import Candidate, Comparison, Message, ModelVersion, Prompt
from ledger.store import Ledger
from ledger.workspace import open_workspace

EVIL = "evil.example"
ANSWER = "\n".join(
    (
        "Opening words.",
        f"<script>alert('script'); fetch('http://{EVIL}/script')</script>",
        f'<img src="http://{EVIL}/tag.png" onerror="alert(1)">',
        f"![picture](http://{EVIL}/markdown.png)",
        f"[a link](http://{EVIL}/link) [another](javascript:alert(2))",
        f"<a href='http://{EVIL}/anchor'>anchor</a> http://{EVIL}/bare www.{EVIL}",
        f"<iframe src='http://{EVIL}/frame'></iframe><style>body{{display:none}}</style>",
        "$\\href{javascript:alert(3)}{formula}$ :red[red] **bold** # title",
        "<svg onload=alert(4)></svg> &lt;b&gt; :material/home: :rocket:",
        "Closing words.",
    )
)
NAME = f"<img src=x onerror=alert(5)> ![n](http://{EVIL}/name.png) [n](http://{EVIL}/name) <b>name</b>"
QUESTION = f"Is this **hostile**? {NAME}"
# A title's own anchor ("#...") leads nowhere.
FORBIDDEN = ", ".join(
    (
        *('img[src*="evil"]', 'img[src="x"]', 'iframe[src*="evil"]', "svg[onload]", "[onerror]"),
        *('a[href*="evil"]:not([href^="#"])', 'a[href^="javascript:"]'),
    )
)


def add_hostile(root: Path) -> None:
    """A held-out question, two answers, a model, and comparisons by a judge, all of them hostile."""
    with open_workspace(root, create=False) as workspace:
        ledger = workspace.ledger
        sft = next(ledger.read(ModelVersion))
        model = ModelVersion(NAME, "dpo", "hostile", parent=sft.id)
        prompt = hostile_prompt()
        answers = [Candidate(prompt.id, sft.id, ANSWER), Candidate(prompt.id, model.id, f"{ANSWER} Really.")]
        ledger.append([model, prompt, *answers])
        ledger.append(_compared(answers, sft, model))
        _everywhere(ledger, sft, model)


def hostile_prompt() -> Prompt:
    """The question; its id makes a link to it."""
    return Prompt((Message("user", QUESTION),), reference=ANSWER, split="eval", topic=NAME, source=NAME)


def _compared(answers: list[Candidate], sft: ModelVersion, model: ModelVersion) -> list[Comparison]:
    a, b = sorted(answers, key=lambda each: each.id)
    names = {sft.id: sft.id, model.id: model.id}
    return [
        Comparison(
            prompt=a.prompt,
            a=a.id,
            b=b.id,
            model_a=names[a.model],
            model_b=names[b.model],
            assessor=assessor,
            verdict="a",
            strength=0.9,
            rubric=NAME,
            axes={NAME: [1, 5]},
            flags=("harm_b",),
            rationale=ANSWER,
            seconds=1.0,
        )
        for assessor in ("judge:large", f"judge:{NAME}")
    ]


def _everywhere(ledger: Ledger, sft: ModelVersion, model: ModelVersion) -> None:
    """Enough questions on which the hostile judge compared the hostile model, that the figures show both names."""
    asked = [Prompt((Message("user", f"{number}: {QUESTION}"),), split="eval", topic=NAME) for number in range(40)]
    answers = {
        prompt.id: [Candidate(prompt.id, each.id, f"{ANSWER} {each.name}") for each in (sft, model)] for prompt in asked
    }
    ledger.append([*asked, *(each for some in answers.values() for each in some)])
    ledger.append(each for some in answers.values() for each in _compared(some, sft, model))
