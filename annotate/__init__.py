"""Comparisons of candidate answers, and the preference pairs made from them."""
