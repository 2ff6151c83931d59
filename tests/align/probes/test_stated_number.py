"""The number that an answer settles on, in the many ways in which models write one."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from align.probes.stated_number import stated_number

QUESTION = "12 apples are shared by 3 in 7 days: how many?"


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("The answer is 42.", "42"),
        ("Answer: 6 x 7 = 42, as 40 + 2 shows.", "42"),
        ("The answer is 40. No: the answer is 42, not 41.", "42"),
        ("The answer is not 40. The answer is 42.", "42"),
        ("It comes to **42** apples, which is 6 more than 36.", "42"),
        (r"So \boxed{42}, and 42 > 41.", "42"),
        (r"$\boxed{1{,}200\text{ ml}}$", "1200"),
        (r"\boxed{\frac{3}{4}}", "0.75"),
        ("3/4 of a litre", "0.75"),
        ("3 1/2 hours", "3.5"),
        ("3\u00bd hours", "3.5"),
        ("1,234,567 grains", "1234567"),
        ("1\u202f234 grains", "1234"),
        ("It is 1,234.50 pounds", "1234.5"),
        ("3,5 kg", "3.5"),
        (".5", "0.5"),
        ("-5 degrees", "-5"),
        ("It is \u22125 \u00b0C.", "-5"),
        ("minus five", "-5"),
        ("12 - 5 = 7", "7"),
        ("10-4 leaves 6", "6"),
        ("forty-two", "42"),
        ("A hundred and twenty in all", "120"),
        ("one", "1"),
        ("There are 42, one for each.", "42"),
        ("That makes 42 tablets in 7 days.", "42"),
        ("12 apples: each of 3 gets 4 of the 12.", "4"),
        ("1,000 mg (1 g)", "1000"),
        ("12.5%", "12.5"),
        ("Forty-two, since two heaps of ten and one of 22 make it.", "42"),
        ("Because there are 40 and 2 more, it is 42.", "42"),
        ("\u00a34.80", "4.8"),
        ("42ml", "42"),
        ("1. Add 20 and 20.\n2. Add 2, which gives 42.", "42"),
        ("Step 1: 20 + 20 = 40\nStep 2: 40 + 2 = 42", "42"),
        ("42. That is all of them.", "42"),
        ("x = 84 / 2 = 42 on the 3rd try", "42"),
    ],
)
def test_the_number_that_an_answer_settles_on(text: str, number: str) -> None:
    assert stated_number(text, QUESTION) == Fraction(number)


@pytest.mark.parametrize("text", ["", "I do not know.", "Vitamin B12", "The answer is 42 or 43.", "on the 3rd"])
def test_no_number_cannot_be_scored(text: str) -> None:
    assert stated_number(text) is None


@given(st.integers(-(10**9), 10**9), st.sampled_from(["{}", "{:,}", "The answer is {}.", "It is **{:,}** ml.", "= {}"]))
def test_whole_numbers_are_read_in_every_form(number: int, form: str) -> None:
    assert stated_number(form.format(number)) == number


@given(st.fractions(-1000, 1000, max_denominator=500))
def test_fractions_are_read(number: Fraction) -> None:
    assert stated_number(f"{number.numerator}/{number.denominator}") == number


SHAPE = {"keys": {"name": "string", "dose_mg": "number"}, "values": {"name": "Aspirin"}}
