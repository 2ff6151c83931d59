"""Preference pairs to a trained model, its win rate, and the next round."""
