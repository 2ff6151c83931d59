"""Keeping the findings current beside the ledger, so that a page opens at once however much there is to count."""
