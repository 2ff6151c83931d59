"""Pairs and labelled answers as token ids."""
