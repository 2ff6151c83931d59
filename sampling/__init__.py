"""Prompts in, candidate answers out."""
